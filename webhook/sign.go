// Package webhook delivers messages to other systems by Standard Webhooks
// (https://www.standardwebhooks.com): signed, under one id for all attempts, and
// only to addresses that may be reached.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of a delivery.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
	HeaderKey       = "idempotency-key"
)

// Tolerance is how far the clock of a sender may be off.
const Tolerance = 5 * time.Minute

// Sign returns the value of webhook-signature: one signature for each secret in
// force, so that secrets can be changed in turn.
func Sign(id string, at time.Time, body []byte, secrets ...[]byte) string {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac(secret, id, at.Unix(), body))
	}
	return strings.Join(signatures, " ")
}

func mac(secret []byte, id string, at int64, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s.%d.", id, at)
	h.Write(body)
	return h.Sum(nil)
}

// ErrSignature reports a message that nobody who holds a secret sent just now.
var ErrSignature = errors.New("webhook: not signed with a known secret, or not now")

// Verify checks the headers of a received message.
func Verify(id, timestamp, signature string, body []byte, now time.Time, secrets ...[]byte) error {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > Tolerance {
		return ErrSignature
	}
	for one := range strings.FieldsSeq(signature) {
		encoded, ok := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			continue
		}
		for _, secret := range secrets {
			if hmac.Equal(got, mac(secret, id, at, body)) {
				return nil
			}
		}
	}
	return ErrSignature
}
