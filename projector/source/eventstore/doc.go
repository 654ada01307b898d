// Package eventstore reads Event Store over TCP, as a [source.Source].
//
//	client, err := esclient.Dial(ctx, "tcp://admin:changeit@127.0.0.1:1113")
//	…
//	ponies := eventstore.Stream(client, "pony_stream")
//	orders := eventstore.Category(client, "order") // all streams order-…, in the order of the log
//	areas := eventstore.All(client, eventstore.Filter{Streams: []string{"area-*"}})
//
// A source has no connection of its own; the client outlives it. Subscriptions survive lost connections and restarts of
// the server: nothing is lost, nothing is repeated.
package eventstore
