// Package cli is the projector command: everything that the binary can do, also for binaries of users' own.
//
//	func main() {
//		cli.Main(func(client *esclient.Client) *projector.Projection {
//			return projector.New("jumps", eventstore.Stream(client, "pony_stream"),
//				projector.On("pony.jumped", onJumped))
//		})
//	}
//
// Such a binary has the same commands and flags and reads the same projector.yaml, whose projections run beside its own.
package cli
