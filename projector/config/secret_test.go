package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yml", []byte("eventstore: {url: 'tcp://admin:${PGPASSWORD}@h:1113'}\ndatabase: {url: 'postgres://me:opensesame@h/db'}\n"), environment)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.EventStore.URL.Reveal(); got != "tcp://admin:opensesame@h:1113" {
		t.Errorf("the URL is %q", got)
	}
	asJSON, err := json.Marshal(cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "url", cfg.Database.URL, "database", cfg.Database)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "url", cfg.Database.URL, "database", cfg.Database)
	for _, printed := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%v %s %q %x", cfg.Database.URL, cfg.Database.URL, cfg.Database.URL, cfg.Database.URL),
		string(asJSON), string(asYAML), log.String(),
	} {
		if strings.Contains(printed, "opensesame") || strings.Contains(printed, fmt.Sprintf("%x", "opensesame")) {
			t.Errorf("prints the password: %s", printed)
		}
	}
	if !strings.Contains(string(asJSON), "<secret>") && !strings.Contains(string(asJSON), `\u003csecret\u003e`) {
		t.Errorf("JSON says nothing of a secret: %s", asJSON)
	}
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "database: {url: 'postgres://me:${file:password}@h/db'}\neventstore: {url: 'tcp://${file:" + filepath.ToSlash(dir) + "/password}@h:1113'}\n"
	cfg, err := Parse(filepath.Join(dir, "f.yml"), []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Database.URL.Reveal() + " " + cfg.EventStore.URL.Reveal(); got != "postgres://me:open sesame@h/db tcp://open sesame@h:1113" {
		t.Error(got)
	}
}

// No mistake in a URL repeats it.
func TestMistakesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"opensesame", "foo://u:opensesame@h/db", "postgres://u:opensesame@${NOBODY}/db", "postgres://u:opensesame@${h/db",
	} {
		_, err := Parse("f.yml", []byte("database: {url: '"+url+"'}\neventstore: {url: '"+url+"'}\n"), environment)
		if err == nil {
			t.Errorf("%s is accepted", url)
		} else if strings.Contains(err.Error(), "opensesame") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
