package emit_test

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/emit"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func ExampleAppend() {
	ctx := context.Background()
	node, err := esnode.Start()
	if err != nil {
		panic(err)
	}
	defer node.Close() //nolint:errcheck // in memory
	client, err := esclient.Dial(ctx, node.URL())
	if err != nil {
		panic(err)
	}
	defer client.Close() //nolint:errcheck // nothing is on its way
	if _, err := client.Append(ctx, "births", esclient.Any, esclient.NewEvent{Type: "pony.born", Body: born{"Ivy"}}); err != nil {
		panic(err)
	}

	greet := func(ctx context.Context, e projector.Event[born]) error {
		_, err := emit.Append(ctx, client, "greetings", esclient.Any,
			esclient.NewEvent{Type: "greeting.due", Body: map[string]string{"to": e.Body.Name}})
		return err
	}
	for range 2 { // the second projection does not know that the first has run, as after a crash
		p := projector.New("greeter", eventstore.Stream(client, "births"), projector.On("pony.born", greet))
		runner, err := projector.NewRunner(memory.Open(), []*projector.Projection{p}, projector.Once())
		if err != nil {
			panic(err)
		}
		if err := runner.Run(ctx); err != nil {
			panic(err)
		}
	}
	page, err := client.ReadStream(ctx, "greetings", 0, esclient.ReadOptions{})
	if err != nil {
		panic(err)
	}
	for _, e := range page.Events {
		fmt.Printf("%s %s\n", e.Type, e.Data)
	}
	// Output: greeting.due {"to":"Ivy"}
}
