// Package cli is the projector command: everything that the binary can do, also for binaries of users' own.
//
//	func main() {
//		cli.Main(projector.New("jumps", source, projector.On("pony.jumped", onJumped)))
//	}
package cli
