//go:build unix

package soak

import (
	"os"
	"os/signal"
	"syscall"
)

// stopMyself returns when the process has been woken. The signal reaches the threads one after the other, so it is not the
// call that stops the caller.
func stopMyself() error {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	defer signal.Stop(woken)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-woken
	return nil
}

// awaitWaking returns when the parent, which has stopped the process, has woken it for good.
func awaitWaking() {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGUSR1)
	defer signal.Stop(woken)
	<-woken
}

// stopUnlocked stops the process at a moment when it does not write to its file. It renews its lease there.
func (p *process) stopUnlocked(d database) (wake func()) {
	p.t.Helper()
	for range 1000 {
		p.signal(syscall.SIGSTOP)
		p.awaitStop()
		if d.File == "" || !d.locked(p.t) {
			return func() { p.signal(syscall.SIGCONT); p.signal(syscall.SIGUSR1) }
		}
		p.signal(syscall.SIGCONT)
	}
	p.t.Fatal("it writes all the time")
	return nil
}

// awaitStop returns when all threads of the process have stopped, which takes them a while on a busy machine.
func (p *process) awaitStop() {
	p.t.Helper()
	var st syscall.WaitStatus
	if _, err := syscall.Wait4(p.cmd.Process.Pid, &st, syscall.WUNTRACED, nil); err != nil || !st.Stopped() {
		p.t.Fatalf("it has not stopped: %v, %x", err, st)
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
