package esclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

type PonyJumped struct {
	Name   string  `json:"name"`
	Height float64 `json:"height_m"`
}

type Tick struct {
	Tick int `json:"tick"`
}

// example starts a node for an example, and connects a client to it.
func example() (ctx context.Context, client *esclient.Client, done func()) {
	node, err := esnode.Start()
	if err != nil {
		log.Fatal(err)
	}
	client, err = esclient.Dial(context.Background(), node.URL())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	return ctx, client, func() {
		cancel()
		_ = client.Close()
		_ = node.Close()
	}
}

// jumped fills pony_stream with two jumps.
func jumped(ctx context.Context, client *esclient.Client) {
	_, err := client.Append(ctx, "pony_stream", esclient.Any,
		esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{"Rainbow Colossus", 0.6}},
		esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{"Sunshine Carnivore", 1.12}},
	)
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleDial() {
	node, err := esnode.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	ctx, url := context.Background(), node.URL() // tcp://admin:changeit@127.0.0.1:1113

	client, err := esclient.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Ping(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("connected")
	// Output: connected
}

func ExampleDial_discover() {
	cluster, err := esnode.StartCluster(3, esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	ctx, url := context.Background(), cluster.DiscoverURL() // discover://admin:changeit@cluster.dns:2113

	client, err := esclient.Dial(ctx, url, esclient.WithPreference(esclient.PreferFollower), esclient.WithAnyNode())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println("connected")
	// Output: connected
}

func ExampleClient_Append() {
	ctx, client, done := example()
	defer done()

	applejack := esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{Name: "Applejack", Height: 0.6}}
	result, err := client.Append(ctx, "pony_stream", esclient.Any, applejack)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("written as event", result.Last)
	// Output: written as event 0
}

func ExampleClient_ReadEvent() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	event, err := client.ReadEvent(ctx, "pony_stream", 1, esclient.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var pony PonyJumped
	if err := json.Unmarshal(event.Data, &pony); err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Type, pony.Name, pony.Height)
	// Output: pony.jumped Sunshine Carnivore 1.12
}

func ExampleClient_Append_two() {
	ctx, client, done := example()
	defer done()

	result, err := client.Append(ctx, "pony_stream", esclient.Any,
		esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{"Rainbow Colossus", 0.6}},
		esclient.NewEvent{Type: "pony.jumped", Body: PonyJumped{"Sunshine Carnivore", 1.12}},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("written as events", result.First, "to", result.Last)
	// Output: written as events 0 to 1
}

func ExampleClient_ReadStream() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	page, err := client.ReadStream(ctx, "pony_stream", 0, esclient.ReadOptions{PageSize: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(page.Events[0].Data))
	// Output: {"name":"Rainbow Colossus","height_m":0.6}
}

func ExampleClient_ReadStream_backward() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	page, err := client.ReadStream(ctx, "pony_stream", esclient.EndOfStream, esclient.ReadOptions{PageSize: 2, Backward: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(page.Events[0].Data))
	// Output: {"name":"Sunshine Carnivore","height_m":1.12}
}

func ExampleClient_StreamEvents() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	for event, err := range client.StreamEvents(ctx, "pony_stream", 0, esclient.ReadOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Number, event.Type)
	}
	// Output:
	// 0 pony.jumped
	// 1 pony.jumped
}

func ExampleClient_AppendFrom() {
	ctx, client, done := example()
	defer done()
	ctx, cancel := context.WithCancel(ctx)

	ticker := func(yield func(esclient.NewEvent) bool) {
		for i := 0; yield(esclient.NewEvent{Type: "tick", Body: Tick{i}}); i++ {
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	}
	go func() { // somebody else reads, for ever
		for event := range client.SubscribeStream("ticker_stream", esclient.FromStart(), esclient.SubscribeOptions{}).Events(ctx) {
			if event.Number == 3 {
				cancel() // enough for an example
			}
		}
	}()
	result, err := client.AppendFrom(ctx, "ticker_stream", esclient.Any, ticker, esclient.AppendFromOptions{})
	if err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
	fmt.Println(result.Last >= 3)
	// Output: true
}

func ExampleClient_SubscribeStream() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	sub := client.SubscribeStream("pony_stream", esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	for event, err := range sub.Events(ctx) { // never ends by itself
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Number, string(event.Data))
		if event.Number == 1 {
			break // enough for an example
		}
	}
	// Output:
	// 0 {"name":"Rainbow Colossus","height_m":0.6}
	// 1 {"name":"Sunshine Carnivore","height_m":1.12}
}

func ExampleClient_Watch() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	enough := fmt.Errorf("seen enough")
	err := client.Watch(ctx, "pony_stream", esclient.FromStart(), func(ctx context.Context, event esclient.Event) error {
		fmt.Println(event.Number, event.Type)
		if event.Number == 1 {
			return enough // ends Watch, which returns it
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 0 pony.jumped
	// 1 pony.jumped
	// seen enough
}

func ExampleClient_SubscribeLive() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	sub := client.SubscribeLive("pony_stream", esclient.SubscribeOptions{})
	defer sub.Stop()
	if err := sub.Confirmed(ctx); err != nil {
		log.Fatal(err)
	}
	jumped(ctx, client)
	for event, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("new:", event.Number)
		break // enough for an example
	}
	// Output: new: 2
}

func ExampleClient_SubscribePersistent() {
	ctx, client, done := example()
	defer done()
	jumped(ctx, client)

	settings := esclient.DefaultPersistentSettings()
	settings.StartFrom = 0
	if err := client.CreatePersistent(ctx, "pony_stream", "judges", settings); err != nil {
		log.Fatal(err)
	}
	sub := client.SubscribePersistent("pony_stream", "judges", esclient.PersistentOptions{ManualAck: true})
	defer sub.Stop()
	for event, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Number, string(event.Data))
		sub.Ack(event) // or sub.Nak(esclient.NakPark, "why", event)
		if event.Number == 1 {
			break // enough for an example
		}
	}
	// Output:
	// 0 {"name":"Rainbow Colossus","height_m":0.6}
	// 1 {"name":"Sunshine Carnivore","height_m":1.12}
}

func ExampleNewEvent() {
	ctx, client, done := example()
	defer done()

	_, err := client.Append(ctx, "pony_stream", esclient.Any,
		esclient.NewEvent{Type: "pony.painted", Body: []byte{0x89, 'P', 'N', 'G'}},                        // bytes, as they are
		esclient.NewEvent{Type: "pony.raw", Body: json.RawMessage(`{"name":"Rarity"}`)},                   // JSON, as it is
		esclient.NewEvent{Type: "pony.packed", Body: PonyJumped{"Rarity", 1}, Codec: codec.MessagePack()}, // another codec
	)
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range client.StreamEvents(ctx, "pony_stream", 0, esclient.ReadOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Type, event.JSON, len(event.Data))
	}
	// Output:
	// pony.painted false 4
	// pony.raw true 17
	// pony.packed false 29
}
