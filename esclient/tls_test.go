package esclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	node := startNode(t, esnode.TLS("127.0.0.1:0", nil))
	pool := x509.NewCertPool()
	pool.AddCert(node.Certificate())
	trusting := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	c := dial(t, node.TLSURL(), esclient.WithTLS(trusting))
	fill(t, c, "s", 3)
	var unknown x509.UnknownAuthorityError
	if _, err := esclient.Dial(t.Context(), node.TLSURL()); !errors.As(err, &unknown) || !errors.Is(err, esclient.ErrNotConnected) {
		t.Errorf("without its CA: %v", err)
	}
	dial(t, node.TLSURL()+"?tls-verify=false")
	_, err := esclient.Dial(t.Context(), "tls://"+node.Addr().String(), esclient.WithTLS(trusting), esclient.WithConnectTimeout(time.Second))
	if !errors.Is(err, esclient.ErrNotConnected) {
		t.Errorf("TLS to a plain port: %v", err)
	}
	_, err = esclient.Dial(t.Context(), "tcp"+node.TLSURL()[len("tls"):])
	if !errors.Is(err, esclient.ErrNotConnected) {
		t.Errorf("plain to a TLS port: %v", err)
	}
}

// authority is a CA of a test's own.
type authority struct{ tls.Certificate }

func newAuthority(t *testing.T) authority {
	return authority{issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})}
}

// issue makes a key and its certificate, signed by a CA, or by itself if there is none.
func issue(t *testing.T, ca *authority, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(t *testing.T, name string) tls.Certificate {
	return issue(t, a, &x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client(t *testing.T, name string) tls.Certificate {
	return issue(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Leaf)
	return pool
}

// pemFiles writes a certificate and its key as users have them.
func pemFiles(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestClientCertificate talks to a server that has a certificate for another name than its address, from a CA that the
// system does not know, and that wants one of its clients: by options, and by the parameters of a URL.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	client, foreign := ca.client(t, "projector"), stranger.client(t, "projector")
	seen := make(chan string, 16)
	node := startNode(t, esnode.TLS("127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.server(t, "events.example.org")},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
		VerifyConnection: func(s tls.ConnectionState) error {
			seen <- s.ServerName + " " + s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	}))
	caFile, _ := pemFiles(t, ca.Certificate)
	certFile, keyFile := pemFiles(t, client)
	asFiles := func(name string) string {
		q := url.Values{"tls-ca": {caFile}, "tls-cert": {certFile}, "tls-key": {keyFile}, "tls-server-name": {name}}
		return node.TLSURL() + "?" + q.Encode()
	}
	asOption := func(name string, roots *authority, certs ...tls.Certificate) esclient.Option {
		return esclient.WithTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots.pool(), ServerName: name, Certificates: certs})
	}
	// Left to itself, Go does not show a certificate that the server has not asked for.
	forced := esclient.WithTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: ca.pool(), ServerName: "events.example.org",
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign, nil },
	})
	tests := []struct {
		name string
		url  string
		opts []esclient.Option
		fail string // part of the error; empty = it works
	}{
		{"files", asFiles("events.example.org"), nil, ""},
		{"option", node.TLSURL(), []esclient.Option{asOption("events.example.org", &ca, client)}, ""},
		{"wrong server name", asFiles("other.example.org"), nil, "not other.example.org"},
		{"address for a name", node.TLSURL(), []esclient.Option{asOption("", &ca, client)}, "127.0.0.1"},
		{"unknown CA", node.TLSURL(), []esclient.Option{asOption("events.example.org", &stranger, client)}, "unknown authority"},
		{"no certificate", node.TLSURL(), []esclient.Option{asOption("events.example.org", &ca)}, "certificate required"},
		{"certificate of a stranger", node.TLSURL(), []esclient.Option{forced}, "unknown certificate authority"},
	}
	for _, tt := range tests {
		c, err := esclient.Dial(t.Context(), tt.url, tt.opts...)
		if tt.fail != "" {
			if !errors.Is(err, esclient.ErrNotConnected) || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.fail)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		fill(t, c, "s", 3)
		if got := <-seen; got != "events.example.org projector" {
			t.Errorf("%s: the server saw %s", tt.name, got)
		}
		_ = c.Close()
	}
}
