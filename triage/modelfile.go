package triage

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// A model file is fileMagic, the CRC-32 (IEEE) of the rest, and a DEFLATE
// stream of fields. Integers are unsigned varints, floats are little-endian
// IEEE 754, texts have their length in front. n-grams rise within a block and
// share their beginning with the one before; a class's weights are whole steps
// from -127 to 127.
const fileMagic = "tallyman triage 4\n"

// Limits of a file, so that a bad one cannot take the machine.
const (
	maxFileBytes     = 1 << 28
	maxInflatedBytes = 1 << 29
	maxTextBytes     = 1 << 10
	maxQuantiles     = 1 << 12
)

// ErrModelFile says that a file is not a model this version reads, and
// ErrOldModel that an earlier version made it, which saw other features.
var (
	ErrModelFile = errors.New("not a triage model file")
	ErrOldModel  = errors.New("it was made by an earlier version: train it anew from its examples")
)

// Write writes the model; [ReadModel] reads it.
func (m *Model) Write(w io.Writer) error {
	var body bytes.Buffer
	z, err := flate.NewWriter(&body, flate.BestCompression)
	if err != nil {
		return err
	}
	f := fileWriter{w: bufio.NewWriter(z)}
	f.model(m)
	if err := f.w.Flush(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32([]byte(fileMagic), crc32.ChecksumIEEE(body.Bytes()))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = w.Write(body.Bytes())
	return err
}

type fileWriter struct{ w *bufio.Writer }

func (f fileWriter) count(n int) { f.w.Write(binary.AppendUvarint(nil, uint64(n))) }

func (f fileWriter) text(s string) {
	f.count(len(s))
	f.w.WriteString(s)
}

func (f fileWriter) floats(xs ...float64) {
	for _, x := range xs {
		f.w.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
	}
}

func (f fileWriter) singles(xs []float32) {
	for _, x := range xs {
		f.w.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
	}
}

func (f fileWriter) model(m *Model) {
	f.count(len(m.Labels))
	for _, l := range m.Labels {
		f.text(l)
	}
	f.text(m.OutOfScope)
	f.count(m.Examples)
	f.floats(m.confidence.sharpness, m.confidence.intercept)
	f.floats(m.confidence.weights[:]...)
	f.floats(m.scope.mean[:]...)
	f.floats(m.scope.weight[:]...)
	f.count(len(m.scope.quantiles))
	f.floats(m.scope.quantiles...)
	f.floats(m.threshold)
	f.lexicon(m.vocabulary.lexicon)
	f.floats(m.vocabulary.shares[:]...)
	for b := range blocks {
		grams := m.vocabulary.grams[m.vocabulary.starts[b]:m.vocabulary.starts[b+1]]
		f.count(len(grams))
		before := ""
		for _, g := range grams {
			same := sharedPrefix(before, g.text)
			f.count(same)
			f.text(g.text[same:])
			f.singles([]float32{g.weight})
			if m.vocabulary.lexicon == nil {
				f.singles([]float32{g.rarity})
			}
			before = g.text
		}
	}
	f.singles(m.linear.bias)
	f.singles(m.linear.steps)
	for i, w := range m.linear.weights {
		f.w.WriteByte(byte(int8(math.Round(float64(w / m.linear.steps[i%m.linear.classes])))))
	}
}

// lexicon writes version 0 for none.
func (f fileWriter) lexicon(l *Lexicon) {
	if l == nil {
		f.count(0)
		return
	}
	f.count(l.Version)
	f.count(len(l.Concepts))
	for _, c := range l.Concepts {
		f.text(c.ID)
		f.count(len(c.Phrases))
		for _, p := range c.Phrases {
			f.text(p)
		}
	}
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// ReadModel reads a model. It refuses what is not whole, not of this version,
// too large or not finite with [ErrModelFile].
func ReadModel(r io.Reader) (*Model, error) {
	m, err := readModel(io.LimitReader(r, maxFileBytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModelFile, err)
	}
	return m, nil
}

func readModel(r io.Reader) (*Model, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	body, ok := bytes.CutPrefix(raw, []byte(fileMagic))
	if !ok && bytes.HasPrefix(raw, []byte(fileMagic[:len(fileMagic)-len("3\n")])) {
		return nil, ErrOldModel
	}
	if !ok || len(body) < 4 {
		return nil, fmt.Errorf("it does not begin with %q", fileMagic)
	}
	if binary.LittleEndian.Uint32(body) != crc32.ChecksumIEEE(body[4:]) {
		return nil, errors.New("its checksum is wrong: it is damaged or cut off")
	}
	return parseModel(flate.NewReader(bytes.NewReader(body[4:])))
}

// parseModel reads the fields.
func parseModel(r io.Reader) (*Model, error) {
	f := &fileReader{r: bufio.NewReader(io.LimitReader(r, maxInflatedBytes))}
	m := f.model()
	if f.err != nil {
		return nil, f.err
	}
	if _, err := f.r.ReadByte(); err != io.EOF {
		return nil, errors.New("it goes on after its end")
	}
	return m, nil
}

// fileReader keeps its first error; after it everything is zero.
type fileReader struct {
	r   *bufio.Reader
	err error
}

func (f *fileReader) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

func (f *fileReader) count(what string, least, most int) int {
	if f.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(f.r)
	if err != nil {
		f.fail("%s: %w", what, err)
		return 0
	}
	if n < uint64(least) || n > uint64(most) {
		f.fail("%s is %d, want %d to %d", what, n, least, most)
		return 0
	}
	return int(n)
}

func (f *fileReader) bytes(what string, n int) []byte {
	if f.err != nil {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(f.r, b); err != nil {
		f.fail("%s: %w", what, err)
		return nil
	}
	return b
}

func (f *fileReader) text(what string) string {
	return string(f.bytes(what, f.count("length of "+what, 0, maxTextBytes)))
}

func (f *fileReader) floats(what string, out []float64) {
	for i := range out {
		b := f.bytes(what, 8)
		if f.err != nil {
			return
		}
		if out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b)); math.IsNaN(out[i]) || math.Abs(out[i]) > 1e30 {
			f.fail("%s is %v", what, out[i])
		}
	}
}

func (f *fileReader) single(what string) float32 {
	b := f.bytes(what, 4)
	if f.err != nil {
		return 0
	}
	x := math.Float32frombits(binary.LittleEndian.Uint32(b))
	if x != x || x > 1e30 || x < -1e30 {
		f.fail("%s is %v", what, x)
	}
	return x
}

func (f *fileReader) model() *Model {
	m := &Model{}
	labels := f.count("number of labels", 2, maxLabels)
	for range labels {
		m.Labels = append(m.Labels, f.text("label"))
	}
	for i := 1; i < len(m.Labels) && f.err == nil; i++ {
		if m.Labels[i-1] >= m.Labels[i] {
			f.fail("label %q comes after %q", m.Labels[i], m.Labels[i-1])
		}
	}
	m.OutOfScope = f.text("out-of-scope label")
	if m.OutOfScope != "" && !slices.Contains(m.Labels, m.OutOfScope) {
		f.fail("out-of-scope label %q is no label", m.OutOfScope)
	}
	m.Examples = f.count("number of examples", 0, math.MaxInt32)
	var c [2]float64
	f.floats("confidence", c[:])
	m.confidence.sharpness, m.confidence.intercept = c[0], c[1]
	if c[0] <= 0 {
		f.fail("sharpness is %v, want more than 0", c[0])
	}
	f.floats("weight of evidence", m.confidence.weights[:])
	f.floats("mean of scope", m.scope.mean[:])
	f.floats("weight of scope", m.scope.weight[:])
	m.scope.quantiles = make([]float64, f.count("number of quantiles", 2, maxQuantiles))
	f.floats("quantile", m.scope.quantiles)
	if !slices.IsSorted(m.scope.quantiles) {
		f.fail("quantiles do not rise")
	}
	var threshold [1]float64
	f.floats("threshold", threshold[:])
	m.threshold = threshold[0]
	m.vocabulary = f.vocabulary(labels)
	m.linear = f.linear(labels, len(m.vocabulary.grams))
	return m
}

func (f *fileReader) vocabulary(labels int) *vocabulary {
	v := &vocabulary{lexicon: f.lexicon()}
	f.floats("share", v.shares[:])
	if slices.Min(v.shares[:]) < 0 {
		f.fail("a share is below 0")
	}
	for b := range blocks {
		before := ""
		grams := f.count("number of n-grams", 0, min(maxGrams, maxWeights/max(labels, 1)/int(blocks)))
		v.grams = slices.Grow(v.grams, grams)
		for i := range grams {
			same := f.count("shared beginning", 0, len(before))
			g := gram{text: before[:same] + f.text("n-gram"), weight: f.single("weight")}
			if g.rarity = g.weight; v.lexicon == nil {
				g.rarity = f.single("rarity")
			}
			if f.err != nil {
				return v
			}
			if i > 0 && g.text <= before || len(g.text) > maxTextBytes || g.weight <= 0 || g.rarity <= 0 {
				f.fail("n-gram %q is out of order, too long or without weight", g.text)
			}
			v.grams = append(v.grams, g)
			before = g.text
		}
		v.starts[b+1] = int32(len(v.grams))
	}
	if len(v.grams) == 0 {
		f.fail("there are no n-grams")
	}
	v.indexGrams()
	return v
}

func (f *fileReader) lexicon() *Lexicon {
	l := &Lexicon{Version: f.count("version of the lexicon", 0, math.MaxInt32)}
	if l.Version == 0 {
		return nil
	}
	for range f.count("number of concepts", 0, maxConcepts) {
		c := Concept{ID: f.text("concept")}
		for range f.count("number of phrases", 0, maxPhrases) {
			c.Phrases = append(c.Phrases, f.text("phrase"))
			if f.err != nil {
				return nil
			}
		}
		l.Concepts = append(l.Concepts, c)
	}
	if f.err != nil {
		return nil
	}
	if err := l.prepare(); err != nil {
		f.fail("lexicon: %w", err)
		return nil
	}
	return l
}

func (f *fileReader) linear(classes, features int) *linear {
	l := &linear{classes: classes, bias: make([]float32, classes), steps: make([]float32, classes)}
	for c := range l.bias {
		l.bias[c] = f.single("bias")
	}
	for c := range l.steps {
		if l.steps[c] = f.single("step"); l.steps[c] <= 0 {
			f.fail("step is %v, want more than 0", l.steps[c])
		}
	}
	weights := f.rest("weights", features*classes)
	l.weights = make([]float32, 0, len(weights))
	for row := range slices.Chunk(weights, max(classes, 1)) {
		for c, w := range row {
			l.weights = append(l.weights, float32(int8(w))*l.steps[c])
		}
	}
	return l
}

// rest returns the last n bytes. No more memory is taken than comes: a file must
// have what it promises.
func (f *fileReader) rest(what string, n int) []byte {
	if f.err != nil {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(f.r, int64(n)))
	if err == nil && len(b) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		f.fail("%s: %w", what, err)
		return nil
	}
	return b
}
