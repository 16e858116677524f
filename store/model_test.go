package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

func candidate() store.Model {
	return store.Model{
		Subject: features.PositionSubject, Outcome: "variance", SchemaHash: "f00d",
		DataFrom: noon.AddDate(-1, 0, 0), DataUntil: noon,
		Params: json.RawMessage(`{"trees": 200}`), Metrics: json.RawMessage(`{"auc": 0.77}`),
	}
}

func install(t *testing.T, db *store.DB, m store.Model) store.ModelID {
	t.Helper()
	id, err := db.InstallModel(t.Context(), m, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// promotion is a database in which models are proposed, and the two who decide.
type promotion struct {
	*testing.T
	db   *store.DB
	conn *pgx.Conn
	by   map[guardrails.Role]guardrails.PersonID
}

func newPromotion(t *testing.T) *promotion {
	t.Helper()
	dsn := storetest.DSN(t)
	p := &promotion{t, open(t, dsn), connect(t, dsn), map[guardrails.Role]guardrails.PersonID{}}
	for _, role := range []string{"policy_owner", "inventory_control"} {
		p.by[guardrails.Role(role)] = holder(t, p.conn, role+"@example.com", role)
	}
	return p
}

func (p *promotion) propose(parent store.ModelID, artifact string) store.Step {
	p.Helper()
	m := candidate()
	m.ParentID = parent
	s, err := p.db.ProposeModel(p.Context(), m, []byte(artifact), []byte(`{}`), noon)
	if err != nil {
		p.Fatal(err)
	}
	return s
}

func (p *promotion) approve(s store.Step) {
	p.Helper()
	for role, person := range p.by {
		by := store.By{Person: person, Session: "s", AuthenticatedAt: clockOf(p.T, p.conn)}
		if _, err := p.db.Decide(p.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding, Slot: role}); err != nil {
			p.Fatal(err)
		}
	}
}

// carryOut does what a worker does, and returns where the step stands then.
func (p *promotion) carryOut(s store.Step) store.Step {
	p.Helper()
	e, err := p.db.ClaimExecution(p.Context(), s.ID, "worker")
	if err == nil {
		err = p.db.SettleExecution(p.Context(), e, p.db.CarryOut(p.Context(), e), "worker")
	}
	if err != nil && !errors.Is(err, store.ErrNothingToSend) {
		p.Fatal(err)
	}
	if s, err = p.db.Step(p.Context(), s.ID); err != nil {
		p.Fatal(err)
	}
	return s
}

func (p *promotion) inForce() (id store.ModelID, authority string) {
	p.Helper()
	champions, err := p.db.Champions(p.Context())
	if err != nil || len(champions) != 1 {
		p.Fatal(champions, err)
	}
	return champions[0].ID, champions[0].Authority
}

func (p *promotion) sound() {
	p.Helper()
	found, err := p.db.Invariants(p.Context())
	if err != nil || len(found) > 0 {
		p.Errorf("broken: %+v, %v", found, err)
	}
}

func TestAModelComesIntoForceByAStep(t *testing.T) {
	p := newPromotion(t)
	if _, err := p.db.Artifact(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("artifact of no model: %v", err)
	}
	first := install(t, p.db, candidate())
	if _, err := p.db.InstallModel(t.Context(), candidate(), []byte("other")); !errors.Is(err, store.ErrModelInForce) {
		t.Errorf("a second first one: %v", err)
	}
	s := p.propose(first, "two")
	if id, authority := p.inForce(); id != first || authority != "operator" {
		t.Errorf("before anybody approved model %d is in force by %s", id, authority)
	}
	p.sound()
	p.approve(s)
	if s = p.carryOut(s); s.State != guardrails.Succeeded {
		t.Fatalf("the promotion is %s: %s", s.State, s.Reason)
	}
	id, authority := p.inForce()
	if int64(id) != s.Model || authority != string(s.ID) {
		t.Errorf("model %d is in force by %s, want %d by %s", id, authority, s.Model, s.ID)
	}
	models, err := p.db.Models(t.Context())
	if err != nil || len(models) != 2 || models[1].State != store.Retired || models[0].ParentID != first {
		t.Errorf("%+v, %v", models, err)
	}
	artifact, err := p.db.Artifact(t.Context(), id)
	if sum := sha256.Sum256([]byte("two")); err != nil || string(artifact) != "two" || !bytes.Equal(models[0].ArtifactHash, sum[:]) {
		t.Errorf("artifact %q, %v", artifact, err)
	}
	p.sound()
}

func TestARejectedModelStaysOut(t *testing.T) {
	p := newPromotion(t)
	first := install(t, p.db, candidate())
	s := p.propose(first, "two")
	by := store.By{Person: p.by["policy_owner"], Session: "s", AuthenticatedAt: clockOf(t, p.conn)}
	if _, err := p.db.Decide(t.Context(), s.ID, by, guardrails.Reject{Binding: s.Binding, Reason: "not in the season"}); err != nil {
		t.Fatal(err)
	}
	if s = p.carryOut(s); s.State != guardrails.Rejected {
		t.Errorf("it is %s", s.State)
	}
	if id, _ := p.inForce(); id != first {
		t.Errorf("model %d is in force", id)
	}
	p.sound()
}

// A newer challenger takes the place of one that nobody approved. One that is
// approved stays, and nothing of the newer is saved.
func TestANewerChallengerSupersedes(t *testing.T) {
	p := newPromotion(t)
	first := install(t, p.db, candidate())
	old := p.propose(first, "two")
	s := p.propose(first, "three")
	if old, err := p.db.Step(t.Context(), old.ID); err != nil || old.State != guardrails.Superseded || old.SupersededBy != s.ID {
		t.Errorf("%+v, %v", old, err)
	}
	p.approve(s)
	m := candidate()
	m.ParentID = first
	if _, err := p.db.ProposeModel(t.Context(), m, []byte("four"), []byte(`{}`), noon); !errors.Is(err, store.ErrStepLive) {
		t.Errorf("beside one that is approved: %v", err)
	}
	if models, err := p.db.Models(t.Context()); err != nil || len(models) != 3 {
		t.Errorf("%d models are kept, %v", len(models), err)
	}
	p.sound()
}

// Neither the program nor the owner of its tables puts a model in force around a
// step; what an approval rests on must hold until it is carried out.
func TestAttackPromotionWithoutAStep(t *testing.T) {
	p := newPromotion(t)
	first := install(t, p.db, candidate())
	s := p.propose(first, "two")
	for name, sql := range map[string]string{
		"without a word":            `update model set state = 'champion', promoted_at = now(), authority = 'operator' where id = $1`,
		"by a step nobody approved": `update model set state = 'champion', promoted_at = now(), authority = '` + string(s.ID) + `' where id = $1`,
		"by a step that is none":    `update model set state = 'champion', promoted_at = now(), authority = 'before' where id = $1`,
		"born as one": `insert into model (subject, outcome, schema_hash, data_from, data_until, params, metrics, artifact, state, promoted_at, authority)
			select subject, outcome, schema_hash, data_from, data_until, params, metrics, artifact, 'champion', now(), 'operator' from model where id = $1`,
	} {
		_, err := p.conn.Exec(t.Context(), sql, s.Model)
		if constraintOf(err) != "model_promotion" {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, err := p.db.ClaimExecution(t.Context(), s.ID, "worker")
	if !errors.Is(err, store.ErrNothingToSend) {
		t.Errorf("claimed %+v, %v", e, err)
	}
	e = store.Execution{Step: s.ID, Target: guardrails.TargetInternal, Body: s.PayloadBytes}
	if r := p.db.CarryOut(t.Context(), e); r.Outcome == store.ReportApplied {
		t.Errorf("carried out: %+v", r)
	}
	p.approve(s)
	exec(t, p.conn, `update model set artifact = 'swapped' where id = $1`, s.Model)
	if s = p.carryOut(s); s.State != guardrails.Invalidated {
		t.Errorf("with another artifact it is %s", s.State)
	}
	if id, _ := p.inForce(); id != first {
		t.Errorf("model %d is in force", id)
	}
	stale := p.propose(first, "three")
	p.approve(stale)
	exec(t, p.conn, `update model set state = 'retired' where id = $1`, first)
	if stale = p.carryOut(stale); stale.State != guardrails.Invalidated {
		t.Errorf("compared with a model that is gone, it is %s", stale.State)
	}
	p.sound()
}

func TestModelIsChecked(t *testing.T) {
	db := storetest.DB(t)
	for name, broken := range map[string]func(*store.Model){
		"outcome of the other subject": func(m *store.Model) { m.Outcome = "late" },
		"window backwards":             func(m *store.Model) { m.DataFrom = m.DataUntil.AddDate(1, 0, 0) },
		"metrics not an object":        func(m *store.Model) { m.Metrics = json.RawMessage(`[]`) },
		"unknown parent":               func(m *store.Model) { m.ParentID = 77 },
	} {
		m := candidate()
		broken(&m)
		if _, err := db.InstallModel(t.Context(), m, []byte("x")); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
}

func TestFirstModelsRace(t *testing.T) {
	db := storetest.DB(t)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			if _, err := db.InstallModel(t.Context(), candidate(), []byte("m")); err != nil && !errors.Is(err, store.ErrModelInForce) {
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	champions, err := db.Champions(t.Context())
	if err != nil || len(champions) != 1 {
		t.Errorf("%d champions, %v", len(champions), err)
	}
}
