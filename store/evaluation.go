package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/warehouse"
)

// EvaluationID names a risk evaluation.
type EvaluationID string

// NewEvaluationID returns a random one, so that the answer can name it before
// it is saved.
func NewEvaluationID() EvaluationID { return EvaluationID("rev_" + randomID()) }

// randomID has 130 random bits.
func randomID() string { return strings.ToLower(rand.Text()) }

// Evaluation is a risk that was answered, with what it was computed from.
type Evaluation struct {
	ID         EvaluationID
	Site       warehouse.Site
	Subject    features.Subject
	Load       warehouse.Load // "" for positions
	AsOf       time.Time
	Watermark  Seq       // of the state that the vectors were read from
	Models     []ModelID // that scored; none when degraded
	SchemaHash string    // of the vectors
	Outcomes   []string  // that the probabilities of a line are of, in order
	Degraded   bool
	Missing    []string // features
	Answer     []byte   // the exact bytes
	Lines      []EvaluatedLine
	CreatedAt  time.Time // given by the store
}

// EvaluatedLine is a line of a load, or a position.
type EvaluatedLine struct {
	Line          warehouse.Line     // "" for a position
	Location      warehouse.Location // "" for a line
	SKU           warehouse.SKU
	Vector        []float32
	Probabilities []float64
}

// Asker says who asks for an evaluation, and for which request. Without an
// idempotency key every request is a new one.
type Asker struct {
	APIKey         string // its id
	IdempotencyKey string
	Fingerprint    [sha256.Size]byte // of the request
}

// SaveEvaluation keeps an evaluation and returns the answer to give: its own
// or, when the key already stands for this request, the stored one. A key that
// stands for another request is an [ErrIdempotencyMismatch]. When verify is not
// nil it becomes, in the same transaction, the proposed step to verify the load
// and supersedes the one before; a step that people have taken up is an
// [ErrStepLive], and nothing is saved.
func (db *DB) SaveEvaluation(ctx context.Context, e *Evaluation, by Asker, verify *guardrails.StepID) ([]byte, error) {
	var answer []byte
	var err error
	if verify == nil {
		answer, err = saveEvaluation(ctx, db.pool, e, by)
	} else {
		err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			if answer, err = saveEvaluation(ctx, tx, e, by); err != nil || answer != nil {
				return err
			}
			return db.proposeVerify(ctx, tx, e, *verify)
		})
	}
	if err == nil && answer == nil {
		return e.Answer, nil
	}
	if err != nil {
		return nil, fmt.Errorf("save evaluation of %s: %w", e.Site, err)
	}
	return answer, nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

const evaluationInsert = `
	with saved as (
		insert into evaluation (id, api_key, idempotency_key, fingerprint, answer, site, subject, load, as_of, watermark,
			model_ids, schema_hash, outcomes, degraded, missing, lines, skus, locations, vectors, probabilities)
		values ($1, $2, nullif($3, ''), $4, $5, $6, $7, nullif($8, ''), $9, $10,
			coalesce($11, '{}'::bigint[]), $12, coalesce($13, '{}'::text[]), $14, coalesce($15, '{}'::text[]),
			$16, $17, $18, $19, $20)
		on conflict (api_key, idempotency_key) do nothing
		returning null::bytea as answer, fingerprint
	)
	select answer, fingerprint
	from saved
	union all
	select answer, fingerprint
	from evaluation
	where api_key = $2 and idempotency_key = nullif($3, '')`

// saveEvaluation returns nil when the evaluation was saved and the stored
// answer when the key was there. It is one statement unless two requests with
// the same key race: the loser's snapshot is older than the winner's row.
func saveEvaluation(ctx context.Context, q querier, e *Evaluation, by Asker) ([]byte, error) {
	c := e.columns()
	var answer, fingerprint []byte
	err := q.QueryRow(ctx, evaluationInsert,
		e.ID, by.APIKey, by.IdempotencyKey, by.Fingerprint[:], e.Answer, e.Site, e.Subject, e.Load, e.AsOf, e.Watermark,
		e.Models, e.SchemaHash, e.Outcomes, e.Degraded, e.Missing, c.lines, c.skus, c.locations, c.vectors, c.probabilities,
	).Scan(&answer, &fingerprint)
	if errors.Is(err, pgx.ErrNoRows) {
		err = q.QueryRow(ctx, `
			select answer, fingerprint
			from evaluation
			where api_key = $1 and idempotency_key = $2`, by.APIKey, by.IdempotencyKey).Scan(&answer, &fingerprint)
	}
	if err == nil && string(fingerprint) != string(by.Fingerprint[:]) {
		err = ErrIdempotencyMismatch
	}
	return answer, err
}

// lineColumns are the lines as an evaluation row holds them.
type lineColumns struct {
	lines, skus, locations []string
	vectors                []byte
	probabilities          []float64
}

func (e *Evaluation) columns() lineColumns {
	n := len(e.Lines)
	c := lineColumns{lines: make([]string, n), skus: make([]string, n), locations: make([]string, n), probabilities: []float64{}, vectors: []byte{}}
	for i, l := range e.Lines {
		c.lines[i], c.skus[i], c.locations[i] = string(l.Line), string(l.SKU), string(l.Location)
		c.vectors = appendVector(c.vectors, l.Vector)
		c.probabilities = append(c.probabilities, l.Probabilities...)
	}
	return c
}

// setLines is the reverse of columns.
func (e *Evaluation) setLines(c lineColumns) {
	n := len(c.lines)
	e.Lines = make([]EvaluatedLine, n)
	width, outcomes := len(c.vectors)/n, len(e.Outcomes)
	for i := range e.Lines {
		e.Lines[i] = EvaluatedLine{
			Line: warehouse.Line(c.lines[i]), Location: warehouse.Location(c.locations[i]), SKU: warehouse.SKU(c.skus[i]),
			Vector:        readVector(c.vectors[i*width : (i+1)*width]),
			Probabilities: c.probabilities[i*outcomes : (i+1)*outcomes],
		}
	}
}

func appendVector(b []byte, vector []float32) []byte {
	for _, v := range vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func readVector(b []byte) []float32 {
	vector := make([]float32, len(b)/4)
	for i := range vector {
		vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return vector
}

const evaluationColumns = `id, site, subject, coalesce(load, ''), as_of, watermark, model_ids, schema_hash, outcomes,
	degraded, missing, answer, created_at, lines, skus, locations, vectors, probabilities`

func scanEvaluation(row pgx.CollectableRow) (Evaluation, error) {
	var e Evaluation
	var c lineColumns
	err := row.Scan(&e.ID, &e.Site, &e.Subject, &e.Load, &e.AsOf, &e.Watermark, &e.Models, &e.SchemaHash, &e.Outcomes,
		&e.Degraded, &e.Missing, &e.Answer, &e.CreatedAt, &c.lines, &c.skus, &c.locations, &c.vectors, &c.probabilities)
	if err == nil {
		e.setLines(c)
	}
	return e, err
}

// Evaluation returns a stored evaluation.
func (db *DB) Evaluation(ctx context.Context, id EvaluationID) (Evaluation, error) {
	rows, _ := db.pool.Query(ctx, `select `+evaluationColumns+` from evaluation where id = $1`, id)
	e, err := pgx.CollectExactlyOneRow(rows, scanEvaluation)
	if err != nil {
		return Evaluation{}, fmt.Errorf("evaluation %s: %w", id, notFound(err))
	}
	return e, nil
}

// Evaluations calls fn for every evaluation in the order they were saved, and
// ends with fn's first error.
func (db *DB) Evaluations(ctx context.Context, fn func(*Evaluation) error) error {
	rows, _ := db.pool.Query(ctx, `select `+evaluationColumns+` from evaluation order by created_at, id`)
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvaluation(rows)
		if err == nil {
			err = fn(&e)
		}
		if err != nil {
			return fmt.Errorf("evaluations: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("evaluations: %w", err)
	}
	return nil
}
