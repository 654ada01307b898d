package projector_test

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

type PonyJumped struct {
	Name    string  `json:"name"`
	HeightM float64 `json:"height_m"`
}

func Example() {
	log := sourcetest.New()
	log.Append("pony_stream",
		sourcetest.JSON("pony.jumped", `{"name":"Applejack","height_m":0.6}`),
		sourcetest.JSON("pony.slept", `{}`),
		sourcetest.JSON("pony.jumped", `{"name":"Rarity","height_m":0.9}`))

	jumps := projector.New("jumps", log.Stream("pony_stream"),
		projector.On("pony.jumped", func(_ context.Context, e projector.Event[PonyJumped]) error {
			fmt.Printf("%d: %s jumped %v m\n", e.Number, e.Body.Name, e.Body.HeightM)
			return nil
		}))
	runner, err := projector.NewRunner(memory.Open(), []*projector.Projection{jumps}, projector.Once())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := runner.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	st := runner.Status()[0]
	fmt.Printf("%d handled, %d ignored\n", st.Handled, st.Ignored)
	// Output:
	// 0: Applejack jumped 0.6 m
	// 2: Rarity jumped 0.9 m
	// 2 handled, 1 ignored
}
