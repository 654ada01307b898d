// Package prom is a Prometheus collector over a runner.
//
//	metrics := prom.New()
//	runner, err := projector.NewRunner(store, projections, projector.WithHooks(metrics))
//	if err != nil {
//		return err
//	}
//	metrics.Observe(runner)
//	registry.MustRegister(metrics)
//
// # Metrics
//
// All have the label projection, whose values are the names of the projections. Numbers are of this process and start
// at 0 with it. What is not known is absent, never a false 0.
//
//	projector_state                        1 for the label state that holds, 0 for the others
//	projector_events_total                 events committed; the label result is handled, ignored or skipped
//	projector_lag_events                   events between the position and the head of the source
//	projector_lag_seconds                  age of the oldest event that is not committed yet
//	projector_position                     last committed event number or commit position
//	projector_head_position                the same of the source's last event, as last seen
//	projector_epoch                        of the lease; 0 = this process does not own the projection
//	projector_last_commit_timestamp_seconds
//	projector_commit_duration_seconds      histogram of the transactions
//	projector_handler_duration_seconds     histogram of the calls of handlers; the labels are event_type, of the handler
//	                                       and * for OnAny, and kind, on or on_tx
//	projector_rows_written_total           rows written and deleted
//	projector_parked_events                events put aside; only from the owner of the projection
//	projector_parked_dropped_total         parked events dropped; the label reason is command or retention
//	projector_shards_owned                 shards that this process owns of a projection that is divided; everything else is
//	                                       said of these together
//	projector_subscription_restarts_total  subscriptions replaced because they had stalled
//	projector_failures_total               failed attempts; the label class is handler, decode, infrastructure or
//	                                       configuration
package prom
