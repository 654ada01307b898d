package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Commands that the owner of a projection executes between two batches, see [checkpoint.ParkingStore].
const (
	CommandRetry = "parked.retry" // handle parked events again, in order
	CommandDrop  = "parked.drop"  // forget parked events
)

// parkedPage is how many parked events are loaded at once.
const parkedPage = 100

// Which says which parked events a command is for. The zero value is all of them.
type Which struct {
	Key    *string `json:"key,omitempty"`    // those of one ordering key
	Number int64   `json:"number,omitempty"` // the one of this number
}

// NewCommand makes a command for parked events, to be given to [checkpoint.ParkingStore] Send.
func NewCommand(name string, which Which, by string) checkpoint.Command {
	args, err := json.Marshal(which)
	if err != nil {
		panic(err) // a string and a number always can
	}
	return checkpoint.Command{Name: name, Args: args, By: by}
}

// execute does what was asked of the projection. Nothing is in flight while it does.
func (s *session) execute(ctx context.Context, commands []checkpoint.Command) error {
	defer s.keeper.executing.Store(false)
	if err := s.standStill(ctx); err != nil {
		return err
	}
	for _, c := range commands {
		answer, err := s.obey(ctx, c)
		if err != nil {
			return err
		}
		s.log.Info("command executed", keyCommand, c.Name, keyBy, c.By, keyReason, answer.Text)
		if err := s.update(ctx, checkpoint.Parking{Answers: []checkpoint.Answer{answer}}); err != nil {
			return err
		}
	}
	if s.held() {
		return s.halt(ctx, s.hold.doubt)
	}
	s.show()
	return nil
}

// standStill lands what is in flight and commits what was applied. What is left in hand is as it was received: events that
// waited behind parked ones may not have to any more.
func (s *session) standStill(ctx context.Context) error {
	s.quiesce()
	if err := s.land(ctx); err != nil {
		return err
	}
	if s.applied > 0 && s.hand.doubtful() == 0 {
		s.launch(ctx)
		if err := s.land(ctx); err != nil {
			return err
		}
	}
	s.rollback()
	s.restore(&s.hand)
	s.applied = 0
	return nil
}

func (s *session) obey(ctx context.Context, c checkpoint.Command) (checkpoint.Answer, error) {
	answer := checkpoint.Answer{Number: c.Number}
	var which Which
	err := error(nil)
	if len(c.Args) > 0 {
		err = json.Unmarshal(c.Args, &which)
	}
	switch {
	case err != nil:
		err = &refusal{fmt.Sprintf("arguments: %v", err)}
	case c.Name == CommandRetry:
		answer.Text, err = s.retryParked(ctx, which)
	case c.Name == CommandDrop:
		answer.Text, err = s.dropParked(ctx, which)
	default:
		err = &refusal{fmt.Sprintf("unknown command %q", c.Name)}
	}
	var no *refusal
	if errors.As(err, &no) {
		answer.Text, answer.Refused, err = no.why, true, nil
	}
	return answer, err
}

// refusal is the answer to a command that cannot be done.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

// keys are the ordering keys that a command is for.
func (s *session) keys(ctx context.Context, which *Which) ([]string, error) {
	if which.Number != 0 {
		rows, err := s.parking.Parked(ctx, nil, which.Number-1, 1)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || rows[0].Number != which.Number {
			return nil, &refusal{fmt.Sprintf("no parked event has number %d", which.Number)}
		}
		return []string{rows[0].Key}, nil
	}
	if which.Key != nil {
		if s.parked[*which.Key] == 0 {
			return nil, &refusal{fmt.Sprintf("no event of key %q is parked", *which.Key)}
		}
		return []string{*which.Key}, nil
	}
	return slices.Sorted(maps.Keys(s.parked)), nil
}

// retryParked handles parked events again, key by key, each up to the first that still fails.
func (s *session) retryParked(ctx context.Context, which Which) (string, error) {
	keys, err := s.keys(ctx, &which)
	if err != nil {
		return "", err
	}
	handled, failed := 0, error(nil)
	for _, key := range keys {
		n, err := s.drain(ctx, key, which.Number)
		handled += n
		if still := (*stillParked)(nil); errors.As(err, &still) {
			failed = errors.Join(failed, still)
		} else if err != nil {
			return "", err
		}
	}
	text := fmt.Sprintf("%d handled, %d still parked", handled, s.countParked())
	if failed != nil {
		text += ": " + failed.Error()
	}
	return text, nil
}

// stillParked says which event stands at the head of its key.
type stillParked struct {
	number int64
	err    error
	doubt  bool // it may not be the fault of the event
}

func (e *stillParked) Error() string { return fmt.Sprintf("event number %d: %v", e.number, e.err) }

// drain handles the parked events of a key in order; only the one of the given number if it is not 0.
func (s *session) drain(ctx context.Context, key string, number int64) (handled int, err error) {
	for {
		rows, err := s.parking.Parked(ctx, &key, 0, parkedPage)
		if err != nil || len(rows) == 0 {
			return handled, err
		}
		for i := range rows {
			row := &rows[i]
			if number != 0 && row.Number != number {
				if handled > 0 {
					return handled, nil
				}
				return 0, &refusal{fmt.Sprintf("event number %d waits behind number %d of its key %q", number, row.Number, key)}
			}
			if s.soft.Err() != nil {
				return handled, errStopping
			}
			if err := s.again(ctx, row); err != nil {
				return handled, err
			}
			handled++
			if number != 0 {
				return handled, nil
			}
		}
	}
}

// again handles one parked event, and takes it off the parked ones in the same transaction.
func (s *session) again(ctx context.Context, row *checkpoint.Parked) error {
	c := chunk{run: runOf(s.upcast([]source.Event{eventOf(row)})...), from: s.position, to: s.position}
	defer s.forget(&c)
	err := s.markAgain(ctx, c.at(0))
	if err == nil {
		err = s.checkEvents(&c, 0, 1)
	}
	if err == nil {
		err = s.fold(ctx, &c, 0, 1)
	}
	if err == nil {
		err = s.effect(ctx, &c, 0)
	}
	if err == nil {
		f := s.prepare(c)
		f.change.Last = checkpoint.EventRef{}
		f.change.Unpark = []int64{row.Number}
		if err = s.commit(ctx, f); err == nil {
			s.unparked(row.Key, 1)
			s.landed(f)
			return nil
		}
	}
	s.rollback()
	if index, somewhere := whose(err); index < 0 && !somewhere {
		return err
	}
	if o := outcomeOf(err); o != nil && o.kind == outcomeSkip {
		return s.passParked(ctx, row, err)
	}
	f := s.failure(err, row.Attempts)
	if f.class != ClassInfrastructure && !errors.Is(err, errDeaths) {
		f.attempts++
	}
	s.board.failed(f.class, fmt.Errorf("%s: %w", describe(c.at(0)), f.err))
	retry := checkpoint.Retry{
		Number: row.Number, Class: f.class.String(), Error: f.err.Error(), Attempts: f.attempts, Tried: time.Now(),
	}
	if err := s.update(ctx, checkpoint.Parking{Retries: []checkpoint.Retry{retry}}); err != nil {
		return err
	}
	return &stillParked{row.Number, f.err, f.doubtful}
}

// passParked takes off the parked events one that its handler wants to be skipped.
func (s *session) passParked(ctx context.Context, row *checkpoint.Parked, err error) error {
	s.log.Error("event skipped", keyEventType, row.Type, keyStream, row.Stream, keyNumber, row.EventNo, keyErr, cause(err))
	if err := s.update(ctx, checkpoint.Parking{Unpark: []int64{row.Number}, Skipped: 1}); err != nil {
		return err
	}
	s.board.skipped(1)
	s.unparked(row.Key, 1)
	return nil
}

// markAgain marks a parked event. If the last owner died with that very mark, it is not tried again: the command would kill
// one owner after the other.
func (s *session) markAgain(ctx context.Context, e *source.Event) error {
	if s.killer != uuid.Nil && s.killer == e.RecordID() {
		s.killer = uuid.Nil
		return &EventError{Class: ClassHandler, Err: errDeaths}
	}
	if err := s.parking.Mark(ctx, checkpoint.Marker{Event: e.RecordID()}); err != nil {
		return fmt.Errorf("mark a parked event: %w", err)
	}
	return nil
}

// dropParked forgets parked events.
func (s *session) dropParked(ctx context.Context, which Which) (string, error) {
	keys, err := s.keys(ctx, &which)
	if err != nil {
		return "", err
	}
	dropped := 0
	for _, key := range keys {
		for {
			rows, err := s.chosen(ctx, key, which.Number)
			if err != nil {
				return "", err
			}
			if err := s.forgetParked(ctx, rows, "command"); err != nil {
				return "", err
			}
			s.board.dropped(int64(len(rows)))
			dropped += len(rows)
			if s.parked[key] == 0 || which.Number != 0 {
				break
			}
		}
	}
	return fmt.Sprintf("%d dropped, %d still parked", dropped, s.countParked()), nil
}

// chosen returns the first parked events of a key, or only the one of a number.
func (s *session) chosen(ctx context.Context, key string, number int64) ([]checkpoint.Parked, error) {
	if number != 0 {
		return s.parking.Parked(ctx, &key, number-1, 1)
	}
	rows, err := s.parking.Parked(ctx, &key, 0, parkedPage)
	if err == nil && len(rows) == 0 {
		err = errNothingParked
	}
	return rows, err
}

// unparked notes that events of a key are not parked any more.
func (s *session) unparked(key string, n int64) {
	if s.parked[key] -= n; s.parked[key] <= 0 {
		delete(s.parked, key)
	}
	s.showParked()
}

// update changes parked events and commands, and nothing else.
func (s *session) update(ctx context.Context, p checkpoint.Parking) error {
	began := time.Now()
	if err := s.lease.Commit(ctx, checkpoint.Change{From: s.position, To: s.position, Parking: p}); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.keeper.touch(began)
	return nil
}
