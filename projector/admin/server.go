package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Times that a client of the pages has.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = MaxWait + 10*time.Second
	closeTimeout = time.Second // for requests in flight when the server ends
)

// Serve serves h on l until ctx ends, and closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadTimeout: readTimeout, WriteTimeout: writeTimeout}
	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // ends within closeTimeout; awaited below
		defer close(drained)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if srv.Shutdown(bound) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-drained
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
