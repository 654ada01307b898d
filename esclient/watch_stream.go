package esclient

import "context"

// Watch calls fn with each event of a stream from a place on, one at a time and in order, until fn returns an error, which
// Watch returns, or ctx ends. It is [Client.SubscribeStream] as a callback: lost connections and restarts are survived.
func (c *Client) Watch(ctx context.Context, stream string, from From, fn func(context.Context, Event) error) error {
	sub := c.SubscribeStream(stream, from, SubscribeOptions{})
	defer sub.Stop()
	return sub.Each(ctx, fn)
}

// WatchAll is Watch for the log of all events.
func (c *Client) WatchAll(ctx context.Context, from From, fn func(context.Context, Event) error) error {
	sub := c.SubscribeAll(from, SubscribeOptions{})
	defer sub.Stop()
	return sub.Each(ctx, fn)
}
