// Package admin serves what a runner does over HTTP.
//
//	/         a page for people
//	/metrics  what [Config.Metrics] serves, for Prometheus
//	/livez    200 as long as restarting the process would not help
//	/readyz   200 when every projection is live, or waits as a standby; else 503 and the reasons
//
// There is nothing to change through it, and no authentication: listen on the loopback address or a private network.
package admin
