"""Makes what the sets lack: split.py DATA OUT. it-tickets four to one, and
BANKING77's test texts with one in ten words misspelt."""
import csv, gzip, random, sys


def read(name):
    with gzip.open(name, "rt") as f:
        return list(csv.reader(f))[1:]


def write(name, rows):
    with open(name, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["text", "label"])
        w.writerows(rows)


def misspell(word, r):
    if len(word) < 3:
        return word
    i = r.randrange(len(word) - 1)
    kind = r.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    if kind == 1:
        return word[:i] + word[i + 1:]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + r.choice("abcdefghijklmnopqrstuvwxyz") + word[i + 1:]


def main(data, out):
    rows, r = read(f"{data}/it-tickets/train.csv.gz"), random.Random(1)
    r.shuffle(rows)
    cut = len(rows) * 4 // 5
    write(f"{out}/it-tickets.train.csv", rows[:cut])
    write(f"{out}/it-tickets.test.csv", rows[cut:])
    typos = []
    for text, label in read(f"{data}/banking77/test.csv.gz"):
        typos.append([" ".join(misspell(w, r) if r.random() < 0.1 else w for w in text.split(" ")), label])
    write(f"{out}/typos.test.csv", typos)


main(*sys.argv[1:])
