// Package esclient is a client for Event Store (EventStoreDB) over TCP, servers 3.9.4 to 23.10.
//
//	client, err := esclient.Dial(ctx, "tcp://admin:changeit@127.0.0.1:1113")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	jumped := esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{Name: "Applejack", Height: 0.6}}
//	if _, err := client.Append(ctx, "ponies", esclient.Any, jumped); err != nil {
//		return err
//	}
//	sub := client.SubscribeStream("ponies", esclient.FromStart(), esclient.SubscribeOptions{})
//	defer sub.Stop()
//	for event, err := range sub.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(event.Number, event.Type, string(event.Data))
//	}
//
// # Connection
//
// A [Client] has one connection, over which everything goes at once. It is safe for concurrent use. When the connection
// breaks, a supervisor makes another one; operations wait for it and are sent again where that is safe, and
// subscriptions go on. [Client.Close] fails what is pending with [ErrClosed], ends all subscriptions, and returns when no
// goroutine is left.
//
// # Writing
//
// An append that is sent again carries the same event ids, so that a server that has already stored it says so instead
// of storing it twice. With an exact expected version, that holds always. With [Any] the server knows ids by heart only
// as long as it runs; see [WithRetryAmbiguous]. Where the outcome cannot be known, the error is [ErrUnknownOutcome].
//
// # Reading
//
// Events come in the order of the log. Event numbers are int64 and start at 0. An event owns its bytes: they are never
// written over, and keeping one event keeps at most 4 KiB of others in memory.
package esclient
