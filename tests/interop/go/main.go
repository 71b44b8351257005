// Checks what Accord writes with public modules of Go, and runs a public witness for its logs.
//
//	interop check FOLDER        the files of an evidence bundle, and what its reader pins
//	interop witness VKEY...     a witness of these logs; prints its address and its verifier key
//	interop ask URL FOLDER      asks a witness, with notes and proofs in a folder
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	noteModule      = "golang.org/x/mod"
	formatsModule   = "github.com/transparency-dev/formats"
	witnessModule   = "github.com/transparency-dev/witness"
	torchwoodModule = "filippo.io/torchwood"
)

func main() {
	switch words := os.Args[1:]; words[0] {
	case "check":
		check(words[1])
	case "witness":
		serve(words[1:])
	case "ask":
		ask(words[1], words[2])
	default:
		fail("unknown: %s", words[0])
	}
}

func fail(form string, given ...any) {
	fmt.Fprintf(os.Stderr, form+"\n", given...)
	os.Exit(1)
}

func must[T any](found T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return found
}

func need(right bool, form string, given ...any) {
	if !right {
		fail(form, given...)
	}
}

// passed prints one row of the report.
func passed(module, what string, count int) {
	row := map[string]any{"tool": module, "version": version(module), "what": what, "count": count}
	must(os.Stdout.Write(append(must(json.Marshal(row)), '\n')))
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, each := range info.Deps {
		if each.Path == module {
			return each.Version
		}
	}
	return "unknown"
}

// --- the files of a bundle ---

func read(folder, name string) []byte { return must(os.ReadFile(filepath.Join(folder, name))) }

func lines(folder, name string) [][]byte {
	var found [][]byte
	text := bufio.NewScanner(bytes.NewReader(read(folder, name)))
	text.Buffer(nil, 8<<20)
	for text.Scan() {
		found = append(found, bytes.Clone(text.Bytes()))
	}
	return found
}

type chained struct {
	Note string
}

func check(folder string) {
	vkey := strings.TrimSpace(string(read(folder, "log.key")))
	own := must(note.NewVerifier(vkey))
	cosigner := must(fnote.NewVerifierForCosignatureV1(must(fnote.VKeyToCosignatureV1(vkey))))
	var points []chained
	for _, line := range lines(folder, "data/checkpoints.jsonl") {
		var point chained
		must(0, json.Unmarshal(line, &point))
		points = append(points, point)
	}
	checkNotes(folder, own, points)
	checkTree(folder, own, points)
	checkFormats(own, cosigner, points)
	checkTorchwood(folder, points)
}

func checkNotes(folder string, own note.Verifier, points []chained) {
	for _, point := range points {
		must(note.Open([]byte(point.Note), note.VerifierList(own)))
		_, err := note.Open([]byte(strings.Replace(point.Note, "\n", "!\n", 1)), note.VerifierList(own))
		need(err != nil, "a changed note was opened")
	}
	passed(noteModule, "`sumdb/note` opens each checkpoint with the log's key, and no changed one", len(points))
	names := must(filepath.Glob(filepath.Join(folder, "receipts/*")))
	for _, name := range names {
		must(note.Open(must(os.ReadFile(name)), note.VerifierList(own)))
	}
	passed(noteModule, "`sumdb/note` opens each receipt", len(names))
}

func checkTree(folder string, own note.Verifier, points []chained) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	for index, line := range lines(folder, "data/events.jsonl") {
		leaf := tlog.RecordHash(line)
		if _, hidden, found := bytes.Cut(line, []byte(`"withheld":"`)); found && bytes.HasPrefix(line, []byte(`{"why":`)) {
			leaf = tlog.Hash(must(hex.DecodeString(string(hidden[:64]))))
		}
		stored = append(stored, must(tlog.StoredHashesForRecordHash(int64(index), leaf, reader))...)
	}
	var before torchwood.Checkpoint
	for _, point := range points {
		opened := must(note.Open([]byte(point.Note), note.VerifierList(own)))
		now := must(torchwood.ParseCheckpoint(opened.Text))
		need(must(tlog.TreeHash(now.N, reader)) == now.Hash, "the root at %d differs", now.N)
		if before.N > 0 && before.N < now.N {
			proof := must(tlog.ProveTree(now.N, before.N, reader))
			must(0, tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash))
		}
		before = now
	}
	passed(noteModule, "`sumdb/tlog` computes each root, and proves it consistent with the one before", len(points))
}

func checkFormats(own, cosigner note.Verifier, points []chained) {
	var last int64
	for _, point := range points {
		_, rest, opened, err := log.ParseCheckpoint([]byte(point.Note), own.Name(), own, cosigner)
		need(err == nil && len(rest) == 0, "%v, or extension lines: %q", err, rest)
		need(len(opened.Sigs) == 2, "the cosignature of the log is not verified")
		at := must(fnote.CoSigV1Timestamp(opened.Sigs[1])).Unix()
		need(at >= last && at > 0, "the time %d runs backwards", at)
		last = at
	}
	passed(formatsModule, "`log` parses each checkpoint; none has extension lines", len(points))
	passed(formatsModule, "`note` verifies the log's own cosignature of each, and reads its time", len(points))
}

func checkTorchwood(folder string, points []chained) {
	policy := must(torchwood.ParsePolicy(read(folder, "policy")))
	last := points[len(points)-1]
	opened := must(note.Open([]byte(last.Note), policy))
	origin := must(torchwood.ParseCheckpoint(opened.Text)).Origin
	must(0, policy.Check(origin, opened.Sigs))
	passed(torchwoodModule, "`Policy` reads the policy, and its quorum is met by the last checkpoint", 1)
	alone := must(note.Open([]byte(points[0].Note), policy))
	need(policy.Check(origin, alone.Sigs) != nil, "a checkpoint without witnesses meets the quorum")
	passed(torchwoodModule, "`Policy` refuses a checkpoint without these cosignatures", 1)
	names := must(filepath.Glob(filepath.Join(folder, "data/proofs/*.tlog-proof")))
	hashes := lines(folder, "data/events.jsonl")
	for _, name := range names {
		var index int
		must(fmt.Sscanf(filepath.Base(name), "%d.tlog-proof", &index))
		leaf := tlog.RecordHash(hashes[index])
		proof := must(os.ReadFile(name))
		must(0, torchwood.VerifyProof(policy, leaf, proof))
		leaf[0] ^= 1
		need(torchwood.VerifyProof(policy, leaf, proof) != nil, "another leaf was proved")
	}
	passed(torchwoodModule, "`VerifyProof` accepts each `.tlog-proof` under the policy, for its event alone", len(names))
}

// --- a witness, and a client of one ---

func serve(vkeys []string) {
	known := map[string]note.Verifier{}
	for _, vkey := range vkeys {
		verifier := must(note.NewVerifier(vkey))
		known[verifier.Name()] = verifier
	}
	skey, vkey, err := note.GenerateKey(nil, "witness.example/go")
	must(0, err)
	signer := must(fnote.NewSignerForCosignatureV1(skey))
	own := must(witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			verifier, ok := known[origin]
			return verifier, ok, nil
		},
	}))
	http.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(own).AddCheckpoint)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Printf("http://%s %s %s\n", listener.Addr(), must(fnote.VKeyToCosignatureV1(vkey)), version(witnessModule))
	must(0, http.Serve(listener, nil))
}

func ask(address, folder string) {
	asked := client.NewWitness(must(url.Parse(address)), http.DefaultClient)
	var cases []struct {
		Old   uint64
		Proof [][]byte
		Note  string
		Size  uint64
		Error string
	}
	must(0, json.Unmarshal(read(folder, "cases.json"), &cases))
	named := map[string]error{
		"":         nil,
		"stale":    witness.ErrCheckpointStale,
		"proof":    witness.ErrInvalidProof,
		"unsigned": witness.ErrNoValidSignature,
		"unknown":  witness.ErrUnknownLog,
		"old":      witness.ErrOldSizeInvalid,
	}
	verifier := must(fnote.NewVerifierForCosignatureV1(strings.TrimSpace(string(read(folder, "witness.key")))))
	for at, each := range cases {
		body, size, err := asked.Update(context.Background(), each.Old, []byte(each.Note), each.Proof)
		need(errors.Is(err, named[each.Error]), "case %d: %v, not %q", at, err, each.Error)
		need(size == each.Size, "case %d: size %d", at, size)
		if err == nil {
			must(note.Open(append([]byte(each.Note), body...), note.VerifierList(verifier)))
		}
	}
	passed(witnessModule, "`client/http` gets each answer of `accord audit witness` that the protocol has", len(cases))
}
