// Package admin serves what a runner does over HTTP.
//
//	/         a page for people
//	/metrics  what [Config.Metrics] serves, for Prometheus
//	/livez    200, or 503 when restarting the process may help: the event store delivers nothing although it has more
//	/readyz   200 when every projection is live, or waits as a standby; else 503 and the reasons
//	/wait     200 as soon as a projection has handled everything up to a position, so that what was written there can be
//	          read from its tables: /wait?projection=ponies&position=9074&timeout=5s
//
// There is nothing to change through it, and no authentication: listen on the loopback address or a private network.
package admin
