package wire_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

var (
	goldenID  = wire.CorrelationID(wire.IDBytes(uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff")))
	goldenEID = wire.IDBytes(uuid.MustParse("01020304-0506-0708-090a-0b0c0d0e0f10"))
)

// TestGoldenFrames builds the example frames of testdata/frames.hex from what their names say, compares bytes, and
// reads them back.
func TestGoldenFrames(t *testing.T) {
	t.Parallel()
	golden := readFrames(t)
	tests := []struct {
		name    string
		pkg     wire.Package
		payload message
	}{
		{name: "HeartbeatRequest", pkg: wire.Package{Command: wire.HeartbeatRequest}},
		{name: "HeartbeatResponse", pkg: wire.Package{Command: wire.HeartbeatResponse}},
		{name: "Authenticate", pkg: wire.Package{
			Command: wire.Authenticate, Auth: wire.Auth{Login: "admin", Password: "changeit"},
		}},
		{name: "Authenticated", pkg: wire.Package{Command: wire.Authenticated}},
		{name: "NotAuthenticated", pkg: wire.Package{Command: wire.NotAuthenticated, Payload: []byte("Not Authenticated")}},
		{
			name: "IdentifyClient", pkg: wire.Package{Command: wire.IdentifyClient},
			payload: generated{&wirepb.IdentifyClient{Version: proto.Int32(1), ConnectionName: proto.String("go")}},
		},
		{name: "ClientIdentified", pkg: wire.Package{Command: wire.ClientIdentified}},
		{name: "WriteEvents", pkg: wire.Package{Command: wire.WriteEvents}, payload: &wire.WriteEventsBody{
			Stream: "s1", ExpectedVersion: -2, RequireLeader: true,
			Events: []wire.Event{{ID: goldenEID[:], Type: []byte("T"), ContentType: 1, Data: []byte("{}"), Metadata: []byte{}}},
		}},
		{
			name: "WriteEventsCompleted success", pkg: wire.Package{Command: wire.WriteEventsCompleted},
			payload: &wire.WriteEventsCompletedBody{
				Prepare: wire.Some[int64](100), Commit: wire.Some[int64](100), CurrentVersion: wire.Some[int64](0),
			},
		},
		{
			name: "WriteEventsCompleted wrong version", pkg: wire.Package{Command: wire.WriteEventsCompleted},
			payload: &wire.WriteEventsCompletedBody{
				Result:  wirepb.OperationResult_OPERATION_RESULT_WRONG_EXPECTED_VERSION,
				Message: wire.Some("Wrong expected version."),
				First:   wire.FailedNumber, Last: wire.FailedNumber,
				Prepare: wire.Some[int64](wire.FailedNumber), Commit: wire.Some[int64](0), CurrentVersion: wire.Some[int64](4),
			},
		},
		{
			name: "ReadStreamEventsForward", pkg: wire.Package{Command: wire.ReadStreamEventsForward},
			payload: generated{&wirepb.ReadStreamEvents{
				EventStreamId: proto.String("s1"), FromEventNumber: proto.Int64(0), MaxCount: proto.Int32(10),
				ResolveLinkTos: proto.Bool(false), RequireLeader: proto.Bool(true),
			}},
		},
		{
			name: "ReadEventCompleted not found", pkg: wire.Package{Command: wire.ReadEventCompleted},
			payload: &wire.ReadEventCompletedBody{Result: wire.ReadEventNotFound, HasEvent: true},
		},
		{
			name: "SubscribeToStream all", pkg: wire.Package{Command: wire.SubscribeToStream},
			payload: generated{&wirepb.SubscribeToStream{EventStreamId: proto.String(""), ResolveLinkTos: proto.Bool(true)}},
		},
		{
			name: "SubscriptionConfirmation all", pkg: wire.Package{Command: wire.SubscriptionConfirmation},
			payload: generated{&wirepb.SubscriptionConfirmation{LastCommitPosition: proto.Int64(100)}},
		},
		{name: "UnsubscribeFromStream", pkg: wire.Package{Command: wire.UnsubscribeFromStream}},
		{
			name: "SubscriptionDropped unsubscribed", pkg: wire.Package{Command: wire.SubscriptionDropped},
			payload: generated{&wirepb.SubscriptionDropped{}},
		},
		{
			name: "SubscriptionDropped access denied", pkg: wire.Package{Command: wire.SubscriptionDropped},
			payload: generated{&wirepb.SubscriptionDropped{
				Reason: wirepb.SubscriptionDropped_REASON_ACCESS_DENIED.Enum(),
			}},
		},
		{
			name: "NotHandled not ready", pkg: wire.Package{Command: wire.NotHandled},
			payload: generated{&wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_READY.Enum()}},
		},
		{
			name: "NotHandled not leader", pkg: wire.Package{Command: wire.NotHandled},
			payload: generated{&wirepb.NotHandled{
				Reason: wirepb.NotHandled_REASON_NOT_LEADER.Enum(),
				AdditionalInfo: generated{&wirepb.LeaderInfo{
					ExternalTcpAddress: proto.String("10.0.0.2"), ExternalTcpPort: proto.Int32(1113),
					ExternalHttpAddress: proto.String("10.0.0.2"), ExternalHttpPort: proto.Int32(2113),
				}}.Append(nil),
			}},
		},
		{name: "BadRequest", pkg: wire.Package{Command: wire.BadRequest, Payload: []byte("x")}},
		{name: "Ping token", pkg: wire.Package{Command: wire.Ping, Auth: wire.Auth{Token: "abc"}}},
	}
	if len(tests) != len(golden) {
		t.Errorf("%d frames are tested, %d in the file", len(tests), len(golden))
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.name != "BadRequest" {
				tt.pkg.Correlation = goldenID
			}
			if tt.payload != nil {
				tt.pkg.Payload = tt.payload.Append(nil)
			}
			want := golden[tt.name]
			if got := wire.AppendPackage(nil, &tt.pkg); !bytes.Equal(got, want) {
				t.Errorf("encoded\ngot  %x\nwant %x", got, want)
			}
			got, err := wire.NewReader(bytes.NewReader(want), 0, nil).Next()
			if err != nil {
				t.Fatal(err)
			}
			if got.Command != tt.pkg.Command || got.Correlation != tt.pkg.Correlation || got.Auth != tt.pkg.Auth ||
				!bytes.Equal(got.Payload, tt.pkg.Payload) {
				t.Errorf("decoded\ngot  %+v\nwant %+v", got, tt.pkg)
			}
		})
	}
}

func readFrames(t *testing.T) map[string][]byte {
	t.Helper()
	content, err := os.ReadFile("testdata/frames.hex")
	if err != nil {
		t.Fatal(err)
	}
	frames, name := map[string][]byte{}, ""
	for line := range strings.Lines(string(content)) {
		text := strings.Join(strings.Fields(line), "")
		if strings.HasPrefix(text, "#") {
			continue
		}
		b, err := hex.DecodeString(text)
		if err != nil {
			name = strings.TrimSpace(line)
			continue
		}
		frames[name] = append(frames[name], b...)
	}
	return frames
}

func TestID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("01020304-0506-0708-090a-0b0c0d0e0f10")
	raw := wire.AppendID(nil, id)
	if got, want := hex.EncodeToString(raw), "0403020106050807090a0b0c0d0e0f10"; got != want {
		t.Errorf("wire bytes: got %s, want %s", got, want)
	}
	if got, ok := wire.ID(raw); !ok || got != id {
		t.Errorf("back: got %v %v, want %v", got, ok, id)
	}
	for _, n := range []int{0, 15, 17} {
		if _, ok := wire.ID(make([]byte, n)); ok {
			t.Errorf("%d bytes are taken for an id", n)
		}
	}
}
