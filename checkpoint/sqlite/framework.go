package sqlite

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// now is the clock of the store, in milliseconds. It is evaluated when its statement is executed, that is with the
// write lock held.
const now = `CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)`

// The statements about the framework's own tables.
const (
	// The state of a projection for somebody who wants it. Milliseconds left of the lease, null if it is free.
	inspectSQL = `SELECT epoch, owner, CASE WHEN expires > ` + now + ` THEN expires - ` + now + ` END, position, fingerprint,
		last_id, last_position FROM projector_projections WHERE name = ?`

	// ?1 name, ?2 owner, ?3 ttl in milliseconds, ?4 fingerprint, ?5 start, ?6 epoch. The write lock is held since the
	// projection was inspected.
	claimSQL = `INSERT INTO projector_projections (name, epoch, owner, expires, position, fingerprint, updated)
		VALUES (?1, ?6, ?2, ` + now + ` + ?3, ?5, ?4, ` + now + `)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner, expires = excluded.expires,
			position = coalesce(position, excluded.position),
			fingerprint = coalesce(nullif(excluded.fingerprint, ''), fingerprint), updated = excluded.updated`

	listSQL = `SELECT name, epoch, owner, expires, coalesce(expires > ` + now + `, 0), coalesce(position, 'start'), last_id,
		last_position, fingerprint, handled, ignored, state, reason, updated FROM projector_projections ORDER BY name`

	// ?1 name, ?2 epoch, ?3 from, ?4 to, ?5 ttl, ?6 handled, ?7 ignored, ?8 last id or null, ?9 last position or null
	commitSQL = `UPDATE projector_projections SET position = ?4, expires = ` + now + ` + ?5, handled = handled + ?6,
		ignored = ignored + ?7, last_id = coalesce(?8, last_id), last_position = coalesce(?9, last_position), updated = ` + now + `
		WHERE name = ?1 AND epoch = ?2 AND position = ?3`

	renewSQL = `UPDATE projector_projections SET expires = ` + now + ` + ?3 WHERE name = ?1 AND epoch = ?2`

	reportSQL = `UPDATE projector_projections SET state = ?3, reason = ?4, updated = ` + now + ` WHERE name = ?1 AND epoch = ?2`

	releaseSQL = `UPDATE projector_projections SET owner = '', expires = NULL WHERE name = ?1 AND epoch = ?2`

	resetSQL = `UPDATE projector_projections SET epoch = epoch + 1, owner = '', expires = NULL, position = NULL, last_id = NULL,
		last_position = 'start', fingerprint = '', handled = 0, ignored = 0, state = '', reason = '', updated = ` + now + `
		WHERE name = ?1`
)

func millis(d time.Duration) int64 { return max(1, d.Milliseconds()) }

// eventRef makes the values of last_id and last_position, null for the zero value.
func eventRef(ref checkpoint.EventRef) (id, position any) {
	if ref == (checkpoint.EventRef{}) {
		return nil, nil
	}
	return ref.ID.String(), ref.Position.String()
}

func parseEventRef(id *string, position string) (ref checkpoint.EventRef, err error) {
	if id == nil {
		return ref, nil
	}
	if ref.ID, err = uuid.Parse(*id); err != nil {
		return ref, fmt.Errorf("last event: %w", err)
	}
	ref.Position, err = checkpoint.ParsePosition(position)
	return ref, err
}
