package esnode

import "github.com/photonpump/projector/esclient/internal/wire"

// The texts of the server.
const (
	textNotAuthenticated = "Not Authenticated"
	textUnauthorized     = "Unauthorized"
	textNoCredentials    = "No user credentials provided."
	textAccessDenied     = "Access denied."
)

// session is the default credentials of a connection. Credentials that failed stay, and fail every later request that
// brings none of its own.
type session struct {
	set   bool
	login wire.Auth
}

// authenticate finds out who sent a request. It answers the request itself if the credentials are wrong.
func (c *conn) authenticate(r *request) bool {
	auth := r.Auth
	if r.Flags&wire.FlagAuth == 0 {
		if !c.session.set {
			return true
		}
		auth = c.session.login
	}
	u, ok := c.node.users.check(auth.Login, auth.Password)
	if !ok {
		c.send(NotAuthenticated, r.Correlation, text(textNotAuthenticated))
		return false
	}
	r.user = u
	return true
}

// handleAuthenticate makes credentials the default of the connection, right or wrong.
func handleAuthenticate(c *conn, r *request) {
	if r.Flags&wire.FlagAuth == 0 {
		c.send(NotAuthenticated, r.Correlation, text(textNoCredentials))
		return
	}
	c.session = session{set: true, login: r.Auth}
	if _, ok := c.node.users.check(r.Auth.Login, r.Auth.Password); !ok {
		c.send(NotAuthenticated, r.Correlation, text(textUnauthorized))
		return
	}
	c.send(Authenticated, r.Correlation, nil)
}
