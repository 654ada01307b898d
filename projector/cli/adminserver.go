package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/photonpump/projector/projector/admin"
	"github.com/photonpump/projector/projector/prom"
)

// serveAdmin serves the page, metrics and health until end is called. When the address is taken, which is usual where a
// second process waits to take over from the first, the service runs without.
func (s *service) serveAdmin(ctx context.Context, metrics *prom.Collector) (end func(), err error) {
	if s.cfg.Admin.Listen == "" {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Admin.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		s.notef("page:        none: %s is in use; set admin.listen to another address, or to off\n", s.cfg.Admin.Listen)
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h := admin.Handler(admin.Config{
		Status:  s.runner.Status,
		WaitFor: s.runner.WaitFor,
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
		About:   [][2]string{{"event store", s.es.about}, {"database", describeDatabase(s.cfg)}},
	})
	s.notef("page:        http://%s/\n", l.Addr())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var serving sync.WaitGroup
	serving.Go(func() { // ends with end
		if err := admin.Serve(ctx, l, h); err != nil {
			s.logger().Error("page ended", "err", err)
		}
	})
	return func() { cancel(); serving.Wait() }, nil
}
