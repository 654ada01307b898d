package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/photonpump/projector/checkpoint"
)

// session is what is known of a connection: whether it is the same session of the server all the time, and which
// statements have been prepared in it. Planning a commit of one row takes three times as long as executing it; but behind
// a transaction pooler each transaction may be in another session, where a statement of that name does not exist, or is
// another one.
type session struct {
	own      ownership
	uses     map[string]int
	prepared map[string]*pgconn.StatementDescription
}

type ownership uint8

const (
	ownUnknown ownership = iota
	ownYes               // statements may have names
	ownNo                // something stands in between
)

const (
	sessionKey = "github.com/photonpump/projector"
	// prepareAfter is how often a statement is used in a session before it is prepared.
	prepareAfter = 3
	// maxPrepared bounds the statements of a session that are prepared. The server keeps a plan for each.
	maxPrepared = 200
)

func sessionOf(conn *pgconn.PgConn) *session {
	s, ok := conn.CustomData()[sessionKey].(*session)
	if !ok {
		s = &session{uses: map[string]int{}, prepared: map[string]*pgconn.StatementDescription{}}
		conn.CustomData()[sessionKey] = s
	}
	return s
}

// statement returns the prepared statement, nil if it has none.
func (s *session) statement(ctx context.Context, conn *pgconn.PgConn, st statement) *pgconn.StatementDescription {
	if named := s.prepared[st.sql]; named != nil || s.own == ownNo {
		return named
	}
	if len(st.oids) == 0 || len(s.uses) >= maxPrepared { // BEGIN, COMMIT and what is made for one use only
		return nil
	}
	if s.uses[st.sql]++; s.uses[st.sql] < prepareAfter || !s.isOwn(ctx, conn) {
		return nil
	}
	named, err := conn.Prepare(ctx, fmt.Sprintf("projector_%d", len(s.prepared)), st.sql, st.oids)
	if err != nil {
		return nil // it is tried without a name, and says what is wrong
	}
	s.prepared[st.sql] = named
	return named
}

// isOwn asks which process of the server executes statements. A pooler has told a number of its own when it was
// connected to.
func (s *session) isOwn(ctx context.Context, conn *pgconn.PgConn) bool {
	if s.own != ownUnknown {
		return s.own == ownYes
	}
	result := conn.ExecParams(ctx, "SELECT pg_backend_pid()::bigint", nil, nil, nil, []int16{pgtype.BinaryFormatCode}).Read()
	if result.Err != nil || len(result.Rows) != 1 {
		return false // asked again next time
	}
	s.own = ownNo
	if decodeInt(result.Rows[0][0]) == int64(conn.PID()) {
		s.own = ownYes
	}
	return s.own == ownYes
}

// failed looks at an error of statements that may have had names. If the session has changed under them, or the tables
// have, nothing was done, and it can be done again without names.
func (s *session) failed(err error) error {
	if len(s.prepared) > 0 && isState(err, "26000", "42P05", "0A000") { // no such statement, another one, another result
		s.own, s.prepared = ownNo, nil
		return &checkpoint.ClassError{Class: checkpoint.ClassUnavailable, Err: err}
	}
	return err
}
