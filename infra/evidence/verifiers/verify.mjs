#!/usr/bin/env node
/**
 * Verifies an Accord evidence bundle offline, with Node 20.15 or later and `rules.json` beside it.
 *
 *     node verify.mjs FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
 *                              [--not-before MOMENT] [--json]
 *
 * `FORMAT.md` says what is checked; "section" below means a section of that page. `rules.json` lists
 * what each command may record. Whether a statement is right is another question
 * (`accord audit replay`).
 */
import { isUtf8 } from 'node:buffer';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32, inflateRawSync } from 'node:zlib';

const MOST_ENTRIES = 10000; // section 1
const MOST_BYTES = 1024 ** 3; // section 1, unpacked
const LARGEST_ZIP = 2 ** 31 - 1;
const LONGEST_LINE = 8 * 1024 ** 2; // section 2
const DEEPEST = 64; // section 2
const LONGEST_NOTE = 64 * 1024; // section 5
const MOST_SIGNATURES = 64; // section 5
const LATEST = 253402300799; // the last second of the year 9999
const SKEW = 300; // section 5, in seconds
const OPERATOR = 'accord'; // the party of what the clock, agreed rules and the operator record

const RULES = JSON.parse(readFileSync(new URL('rules.json', import.meta.url), 'utf8'));
const BINDING = new Set(['binds', 'erases']);
const FACTS = new Set(RULES.facts);
const OWN = new Set(RULES.own);
const PROPOSALS = new Set(RULES.proposals);
const STATEMENTS = new Set(RULES.statements);
const KEY_EVENTS = new Set(['KeyRecovered', 'KeyRegistered', 'KeyRotated', 'KeyRevoked']);

/** Why a bundle is refused: a code of section 10, and the index in question. */
class Fault extends Error {
  constructor(code, index = null) {
    super(code);
    this.code = code;
    this.index = index;
  }
}

/** The verifier was called wrongly, or its user's own files cannot be read: exit code 2. */
class Misuse extends Error {}

/** A text has another form. Whoever reads it knows which fault that is. */
class Refused extends Error {}

function need(right, code, index = null) {
  if (!right) throw new Fault(code, index);
}

function refuse(what) {
  throw new Refused(what);
}

/** What `read` gives; a fault of this code if the text is refused. */
function within(code, index, read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused || error instanceof RangeError) throw new Fault(code, index);
    throw error;
  }
}

// --- Section 2: JSON, moments, base64 ----------------------------------------------------------

const isString = (value) => typeof value === 'string';
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isWhole = (value) => Number.isSafeInteger(value) && !Object.is(value, -0);
const hasOwn = Object.hasOwn;

function sha256(...pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

const hex = (...pieces) => sha256(...pieces).toString('hex');

function utf8(bytes) {
  if (!isUtf8(bytes)) refuse('not UTF-8');
  const text = bytes.toString('utf8');
  return text.startsWith('\ufeff') ? refuse('a byte order mark') : text;
}

/** The canonical form (RFC 8785) of a value; refuses one that section 2 does not admit. */
export function canonical(value, depth = 1) {
  if (isString(value)) return value.isWellFormed() ? JSON.stringify(value) : refuse('surrogate');
  if (typeof value === 'number' && !isWhole(value)) refuse('a number');
  if (value === null || typeof value !== 'object') return String(value);
  if (depth > DEEPEST) refuse('too many levels');
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each, depth + 1)).join(',')}]`;
  let text = '';
  for (const key of Object.keys(value).sort()) {
    if (!/^[\x00-\x7f]*$/.test(key)) refuse('a key beyond ASCII');
    text += `${text && ','}${JSON.stringify(key)}:${canonical(value[key], depth + 1)}`;
  }
  return `{${text}}`;
}

/** The value of bytes that are its canonical form. */
export function canonicalJson(bytes) {
  const text = utf8(bytes);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    refuse('not JSON');
  }
  return canonical(value) === text ? value : refuse('not in canonical form');
}

const MOMENT =
  /^(?!0000)(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?Z$/;
const days = new Map();

function isDay(day) {
  if (!days.has(day)) {
    const time = Date.parse(`${day}T00:00:00Z`);
    if (days.size > 4096) days.clear();
    days.set(day, !Number.isNaN(time) && new Date(time).toISOString().startsWith(day));
  }
  return days.get(day);
}

const withoutZone = (moment) => moment.slice(0, -1).replace(/\.000000$/, '');

/** A moment as a text that sorts by time, or null. */
function instant(value) {
  const match = isString(value) ? MOMENT.exec(value) : null;
  return match !== null && isDay(match[1]) ? withoutZone(value) : null;
}

function instantOf(seconds) {
  return new Date(Math.min(Math.max(seconds, 0), LATEST) * 1000).toISOString().slice(0, 19);
}

/** The bytes of base64 in its only form, and of that size if one is given; or null. */
function unbase64(value, size = null) {
  if (!isString(value)) return null;
  const bytes = Buffer.from(value, 'base64');
  if (bytes.toString('base64') !== value) return null;
  return size === null || bytes.length === size ? bytes : null;
}

function number(text) {
  return /^(0|[1-9]\d{0,15})$/.test(text) && isWhole(Number(text)) ? Number(text) : null;
}

const NO_BYTES = Buffer.alloc(0);
const FORMS = {
  text: isString,
  flag: (value) => typeof value === 'boolean',
  object: isObject,
  list: Array.isArray,
  whole: isWhole,
  count: (value) => isWhole(value) && value >= 0,
  positive: (value) => isWhole(value) && value > 0,
  moment: (value) => instant(value) !== null,
  hash: (value) => unbase64(value, 32) !== null,
  base64: (value) => unbase64(value) !== null,
  digest: (value) => isString(value) && /^[0-9a-f]{64}$/.test(value),
  salt: (value) => isString(value) && /^[0-9a-f]{32}$/.test(value),
  commitment: (value) => isString(value) && /^person:[0-9a-f]{64}$/.test(value),
  why: (value) => value === 'private' || value === 'range',
  nonce: (value) => isString(value) && /^[!-~]{8,128}$/.test(value),
  keyid: (value) => isString(value) && /^[0-9a-f]{16}$/.test(value),
  true: (value) => value === true,
};

/**
 * A check that a value is an object of exactly these members: words `name:form`, with `?` behind a
 * name that may be absent, and `|null` behind a form. A form in quotes is the text itself.
 */
function shape(words) {
  const forms = new Map();
  const needed = [];
  for (const word of words.trim().split(/\s+/)) {
    const [, name, optional, form, nullable] = /^(\w+)(\??):(.+?)(\|null)?$/.exec(word);
    const check = form.startsWith("'") ? (value) => `'${value}'` === form : FORMS[form];
    forms.set(name, nullable ? (value) => value === null || check(value) : check);
    if (!optional) needed.push(name);
  }
  return (value) => {
    if (!isObject(value)) return false;
    for (const name of Object.keys(value)) if (!forms.get(name)?.(value[name])) return false;
    return needed.every((name) => hasOwn(value, name));
  };
}

/** The value of a line, or of a file, that fits one of the forms. */
function valueOf(bytes, ...forms) {
  if (bytes.length > LONGEST_LINE) refuse('too long');
  const value = canonicalJson(bytes);
  return forms.some((fits) => fits(value)) ? value : refuse('other members or types');
}

/** The lines of a file, each with its newline. */
function linesOf(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start);
    if (end === -1) refuse('no newline at the end');
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

// --- Section 4: the Merkle tree ----------------------------------------------------------------

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** The Merkle tree over leaf hashes, with the root of every size. */
export class Tree {
  constructor(leaves) {
    // Each level has the roots of the perfect subtrees of its height.
    this.levels = [leaves];
    this.roots = new Map();
    for (let level = leaves; level.length > 1; ) {
      const above = [];
      for (let at = 1; at < level.length; at += 2) above.push(sha256(NODE, level[at - 1], level[at]));
      this.levels.push((level = above));
    }
  }

  /** The root of the first so many leaf hashes in base64, null if there are fewer. */
  root(size) {
    if (size > this.levels[0].length) return null;
    if (!this.roots.has(size)) {
      let root = null;
      for (let height = 0, rest = size; rest > 0; height += 1, rest = Math.floor(rest / 2)) {
        if (rest % 2 === 0) continue;
        const left = this.levels[height][rest - 1];
        root = root === null ? left : sha256(NODE, left, root);
      }
      this.roots.set(size, (root ?? sha256()).toString('base64'));
    }
    return this.roots.get(size);
  }
}

// --- Section 8: Ed25519 ------------------------------------------------------------------------

const PRIME = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const CURVE_D = (-121665n * power(121666n, PRIME - 2n)) % PRIME;

function power(base, exponent) {
  let result = 1n;
  for (let square = base; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

const littleEndian = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const encodedY = (bytes) => littleEndian(bytes) & (2n ** 255n - 1n);

/** The y of the eight points of small order: the identity, and those of order 2, 4 and 8. */
const SMALL_ORDER = new Set([
  ...[0n, 1n, PRIME - 1n],
  encodedY(Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex')),
  encodedY(Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex')),
]);

function isStrongPoint(bytes) {
  if (bytes.length !== 32) return false;
  const y = encodedY(bytes);
  // There is an x where (y^2 - 1) / (d y^2 + 1) is a square (RFC 8032 section 5.1.3), which it is
  // just where the product is one. It is 0 only for points of small order, so the sign is free.
  const product = (((y * y - 1n) * (CURVE_D * y * y + 1n)) % PRIME + PRIME) % PRIME;
  return y < PRIME && !SMALL_ORDER.has(y) && power(product, (PRIME - 1n) / 2n) === 1n;
}

const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const keyObjects = new Map();

/** The library's object of an admitted key, or null. Admitting takes long, so it is done once. */
function keyObject(publicKey) {
  const name = publicKey.toString('hex');
  if (!keyObjects.has(name)) {
    const der = { key: Buffer.concat([DER_PREFIX, publicKey]), format: 'der', type: 'spki' };
    keyObjects.set(name, isStrongPoint(publicKey) ? createPublicKey(der) : null);
  }
  return keyObjects.get(name);
}

/** Whether section 8 admits a public key: a point in its only form, and not of small order. */
export const admitted = (publicKey) => keyObject(Buffer.from(publicKey)) !== null;

/** Whether a signature is right by the strict rules of section 8. */
export function ed25519Verify(publicKey, message, signature) {
  const key = keyObject(Buffer.from(publicKey));
  if (key === null || signature.length !== 64) return false;
  // The library compares R with the bytes that it computes, so only a canonical R can be equal.
  if (littleEndian(signature.subarray(32)) >= ORDER) return false;
  return verifySignature(null, Buffer.from(message), key, signature);
}

// --- Section 5: notes and checkpoints ----------------------------------------------------------

const isName = (name) => isString(name) && /^[^\s+\x00-\x1f\x7f-\x9f\ufeff]+$/.test(name);
const keyId = (name, type, key) => hex(`${name}\n`, Buffer.from([type]), key).slice(0, 8);

/** A verifier key of a type, which section 8 admits: name, key id and public key. */
function parseKey(text, type) {
  const [name, id, ...rest] = text.split('+');
  const bytes = unbase64(rest.join('+'), 33);
  const key = bytes === null ? NO_BYTES : bytes.subarray(1);
  const isKey = isName(name) && bytes?.[0] === type && keyId(name, type, key) === id;
  return isKey && admitted(key) ? { name, id, key } : refuse('not a verifier key of this type');
}

/** A signed note: its text, and its signatures. */
function parseNote(raw) {
  const gap = raw.indexOf('\n\n');
  const isNote = gap !== -1 && raw.endsWith('\n') && !/[\x00-\x09\x0b-\x1f]/.test(raw);
  if (!isNote || Buffer.byteLength(raw) > LONGEST_NOTE) refuse('not a note');
  const lines = raw.slice(gap + 2).split('\n').slice(0, -1);
  if (lines.length === 0 || lines.length > MOST_SIGNATURES) refuse('too few or many signatures');
  const signatures = lines.map((line) => {
    const [dash, name, ...rest] = line.split(' ');
    const bytes = unbase64(rest.join(' '));
    const isSignature = dash === '\u2014' && isName(name) && bytes !== null && bytes.length > 4;
    if (!isSignature) refuse('not a signature line');
    return { name, id: bytes.toString('hex', 0, 4), bytes: bytes.subarray(4) };
  });
  return { text: raw.slice(0, gap + 1), signatures };
}

const signaturesBy = ({ signatures }, { name, id }) => {
  return signatures.filter((one) => one.name === name && one.id === id).map(({ bytes }) => bytes);
};

/** Whether exactly one signature stands under the key's name and id, and it is right. */
function isSignedBy(note, key) {
  const own = signaturesBy(note, key);
  return own.length === 1 && ed25519Verify(key.key, note.text, own[0]);
}

/** The time of a cosignature, null if it is wrong. */
function cosigned({ text }, { key }, bytes) {
  const time = bytes.length === 72 ? bytes.readBigUInt64BE(0) : 0n;
  if (time === 0n || time > BigInt(LATEST)) return null;
  const message = `cosignature/v1\ntime ${time}\n${text}`;
  return ed25519Verify(key, message, bytes.subarray(8)) ? Number(time) : null;
}

/** A checkpoint: a note of three lines. The root stays base64. */
function parseCheckpoint(raw) {
  const note = parseNote(raw);
  const [origin, size, root, end, ...rest] = note.text.split('\n');
  const isForm = origin !== '' && end === '' && rest.length === 0 && FORMS.hash(root);
  const count = number(size ?? '');
  return isForm && count !== null ? { ...note, origin, size: count, root } : refuse('no checkpoint');
}

const RECEIPT =
  /^accord\/receipt@v1\n([^\n]+)\ncommand [0-9a-f]{64}\nevents (\d{1,16}) (\d{1,16})\n((?:leaf [A-Za-z0-9+/]{43}=\n)+)deadline ([^\n]+)\n$/;

/** What the operator signed when it accepted a command (section 9). */
function parseReceipt(raw) {
  const note = parseNote(raw);
  const [, origin, from, count, block, until] = RECEIPT.exec(note.text) ?? refuse('no receipt');
  const leaves = block.trimEnd().split('\n').map((line) => Buffer.from(line.slice(5), 'base64'));
  const [first, deadline] = [number(from), instant(until)];
  const isForm = first !== null && deadline !== null && count === String(leaves.length);
  return isForm ? { ...note, origin, first, leaves, deadline } : refuse('no receipt');
}

// --- Section 6: policy and pins ----------------------------------------------------------------

/** The words of each line that has some; of octets, as names need not be UTF-8. */
function wordsOf(bytes) {
  const text = bytes.toString('latin1');
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) refuse('a control character');
  const lines = text.split('\n').map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''));
  return lines.filter((line) => line && !line.startsWith('#')).map((line) => line.split(/[ \t]+/));
}

const utf8Word = (word) => utf8(Buffer.from(word, 'latin1'));

/** Whom a user trusts for the log. */
class Policy {
  constructor(bytes) {
    this.logs = [];
    this.witnesses = new Map();
    this.groups = new Map();
    this.quorum = null;
    for (const [keyword, ...words] of wordsOf(bytes)) {
      const isLine = this.take(keyword, words);
      if (!isLine) refuse('not a line of a policy, or one that contradicts another');
    }
    if (this.logs.length === 0 || this.quorum === null) refuse('no log, or no quorum');
  }

  /** Takes a line; whether it is one. An address behind a key is passed over. */
  take(keyword, [word, ...words]) {
    if (keyword === 'log' && word !== undefined && words.length <= 1) {
      const log = parseKey(utf8Word(word), 1);
      return this.logs.every(({ key }) => !key.equals(log.key)) && this.logs.push(log);
    }
    if (keyword === 'witness' && (words.length === 1 || words.length === 2)) {
      const witness = parseKey(utf8Word(words[0]), 4);
      // Under two words, a witness would count twice.
      const isNew = [...this.witnesses.values()].every(({ key }) => !key.equals(witness.key));
      return isNew && this.isFree(word) && this.witnesses.set(word, witness);
    }
    if (keyword === 'group' && words.length > 1) {
      const [needed, ...members] = words;
      const named = [...this.groups.values()].flatMap((group) => group.members);
      const count = { all: members.length, any: 1 }[needed] ?? number(needed) ?? 0;
      const isOnce = new Set([...named, ...members]).size === named.length + members.length;
      const isKnown = members.every((member) => this.isKnown(member)) && this.isFree(word);
      const isGroup = isKnown && isOnce && count >= 1 && count <= members.length;
      return isGroup && this.groups.set(word, { count, members });
    }
    const isQuorum = keyword === 'quorum' && words.length === 0 && this.quorum === null;
    if (!isQuorum || !(word === 'none' || this.isKnown(word))) return false;
    this.quorum = word;
    return true;
  }

  isKnown(word) {
    return this.witnesses.has(word) || this.groups.has(word);
  }

  isFree(word) {
    return word !== 'none' && !this.isKnown(word);
  }

  /** The log's key of an origin; of several, the one that signed the note. */
  key(origin, note) {
    const own = this.logs.filter(({ name }) => name === origin);
    return own.find((key) => isSignedBy(note, key)) ?? own[0];
  }

  isMetBy(words) {
    const met = new Set(['none', ...words]);
    for (const [word, { count, members }] of this.groups) {
      if (members.filter((member) => met.has(member)).length >= count) met.add(word);
    }
    return met.has(this.quorum);
  }

  /** The last second since when cosignatures meet the quorum; null without a witness. */
  witnessed(times) {
    if (this.quorum === 'none') return null;
    const words = [...times.keys()];
    const sorted = [...times.values()].sort((one, other) => other - one);
    const since = (time) => words.filter((word) => times.get(word) >= time);
    return sorted.find((time) => this.isMetBy(since(time))) ?? null;
  }
}

/** The keys and verifiers that a user expects. */
class Pins {
  constructor(bytes) {
    this.parties = new Map();
    this.files = [];
    for (const words of wordsOf(bytes)) {
      const [keyword, word, value, ...rest] = words.map(utf8Word);
      const isParty = keyword === 'party' && FORMS.hash(value) && !this.parties.has(word);
      const isFile = keyword === 'verifier' && FORMS.digest(word) && value !== undefined;
      if (!(isParty || isFile) || rest.length > 0) refuse('not a line of pins');
      if (isParty) this.parties.set(word, value);
      else this.files.push([word, value]);
    }
  }
}

// --- Section 1: the container ------------------------------------------------------------------

const inData = (names) => names.split(' ').map((name) => `data/${name}`);
const OF_LOG = inData(
  'bundle.json checkpoints.jsonl commands.jsonl events.jsonl hashes.txt people.jsonl',
);
const BESIDE = inData(
  'policy.txt rejected.jsonl request.json waiting.jsonl FORMAT.md rules.json verify.mjs verify.py',
);
const OTHER =
  /^data\/(?:schemas\/[A-Za-z0-9]+\.json|proofs\/\d{1,16}\.tlog-proof|timestamps\/\d{1,16}\.tsr)$/;
const BAGIT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';

/** The files of a bundle by name: only what `accord audit bundle` writes is a ZIP here. */
function readContainer(zip) {
  const end = zip.length - 22;
  need(end >= 0 && zip.length <= LARGEST_ZIP && zip.readUInt32LE(end) === 0x06054b50, 'bag');
  const [count, directory] = [zip.readUInt16LE(end + 10), zip.readUInt32LE(end + 16)];
  const isSingle = zip.readUInt32LE(end + 4) === 0 && zip.readUInt16LE(end + 8) === count;
  need(isSingle && zip.readUInt16LE(end + 20) === 0 && count <= MOST_ENTRIES, 'bag');
  need(directory + zip.readUInt32LE(end + 12) === end, 'bag');
  const entries = readDirectory(zip, directory, end, count);
  need(entries.reduce((sum, { size }) => sum + size, 0) <= MOST_BYTES, 'bag');
  const files = new Map(entries.map((entry) => [entry.name, unpack(entry)]));
  need(files.size === count, 'bag');
  return files;
}

function readDirectory(zip, directory, end, count) {
  const entries = [];
  let [at, start] = [directory, 0];
  for (let left = count; left > 0; left -= 1) {
    need(at + 46 <= end && zip.readUInt32LE(at) === 0x02014b50, 'bag');
    const [method, length] = [zip.readUInt16LE(at + 10), zip.readUInt16LE(at + 28)];
    const isPlain = zip.readUInt16LE(at + 8) === 0 && (method === 0 || method === 8);
    const hasNoMore = zip.readUInt32LE(at + 30) === 0 && zip.readUInt16LE(at + 34) === 0;
    const [crc, packed, size] = [16, 20, 24].map((offset) => zip.readUInt32LE(at + offset));
    const name = zip.subarray(at + 46, at + 46 + length);
    // Entries follow each other from the first byte, each with the header of the directory.
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), zip.subarray(at + 6, at + 32), name]);
    const isNext = zip.readUInt32LE(at + 42) === start;
    const isSame = zip.subarray(start, start + local.length).equals(local);
    need(isPlain && hasNoMore && isNext && isSame && name.every((byte) => byte < 128), 'bag');
    start += local.length + packed;
    need(start <= directory && name.length === length, 'bag');
    const data = zip.subarray(start - packed, start);
    entries.push({ name: name.toString('latin1'), method, data, size, crc });
    at += 46 + length;
  }
  need(at === end && start === directory, 'bag');
  return entries;
}

function unpack({ method, data, size, crc }) {
  let bytes = data;
  if (method !== 0) {
    try {
      const found = inflateRawSync(data, { maxOutputLength: Math.max(size, 1), info: true });
      need(found.engine.bytesWritten === data.length, 'bag');
      bytes = found.buffer;
    } catch {
      throw new Fault('bag');
    }
  }
  need(bytes.length === size && crc32(bytes) === crc, 'bag');
  return bytes;
}

function checkFiles(files) {
  const payload = [...files.keys()].filter((name) => !/^(bagit|manifest-sha256)\.txt$/.test(name));
  const needed = new Set([...OF_LOG, ...BESIDE]);
  need([...needed].every((name) => files.has(name)) && files.size === payload.length + 2, 'bag');
  need(payload.every((name) => needed.has(name) || OTHER.test(name)), 'bag');
  need(files.get('bagit.txt').equals(Buffer.from(BAGIT)), 'bag');
  need(files.get('manifest-sha256.txt').equals(Buffer.from(manifest(files, payload))), 'bag');
}

const manifest = (files, names) => {
  return [...names].sort().map((name) => `${hex(files.get(name))}  ${name}\n`).join('');
};

// --- Sections 3 and 7: the JSON files ------------------------------------------------------------

const isBundle = shape(
  "custody:count|null format:'accord-bundle/1' origin:text partnership:text size:count",
);
const isRequest = shape(`
  alert:text|null by:text for:text|null from:moment|null reason:text simulated:flag
  statement:text|null to:moment|null
`);
const isPerson = shape('commitment:commitment name:text salt:base64');
const isErasedPerson = shape('commitment:commitment erased:count');
const isCommandLine = shape('digest:digest envelope:object');
const isErasedLine = shape('digest:digest erased:true');
const COMMAND_TYPE = 'application/vnd.accord.command+json';
const isEnvelope = shape(`payload:base64 payloadType:'${COMMAND_TYPE}' signatures:list`);
const isSignature = shape('keyid:keyid sig:base64');
const isPayload = shape(`
  accord:'command/v1' event:object expected:whole|null expires:moment nonce:nonce origin:text
  partnership:text party:text seen:object|null type:text
`);
const isSeen = shape('root:hash size:count');
const isEvent = shape(`
  actor:text causation_id?:text correlation_id?:text data:object event_id:text
  occurred_at:moment partnership:text party:text recorded_at:moment salt:salt
  schema_version:positive signed?:digest source:text source_id:text stream:text
  stream_version:positive type:text
`);
const isWithheld = shape('why:why withheld:digest');

/** The command of a line; null if it was erased. */
function readCommand(line) {
  if (hasOwn(line, 'erased')) return null;
  const { digest, envelope } = line;
  const isForm = isEnvelope(envelope) && envelope.signatures.length === 1;
  const isRight = isForm && isSignature(envelope.signatures[0]);
  if (!isRight || hex(canonical(envelope)) !== digest) refuse('not an envelope');
  const bytes = unbase64(envelope.payload);
  const payload = valueOf(bytes, isPayload);
  if (payload.seen !== null && !isSeen(payload.seen)) refuse('not what somebody saw');
  const head = `DSSEv1 ${COMMAND_TYPE.length} ${COMMAND_TYPE} ${bytes.length} `;
  const [{ keyid, sig }] = envelope.signatures;
  const message = Buffer.concat([Buffer.from(head), bytes]);
  return { payload, keyid, message, signature: unbase64(sig) };
}

// --- The verifier --------------------------------------------------------------------------------

/** Where the first item is that meets a condition, as all behind it do: by halving. */
function firstWhere(items, isBehind) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

const COMMITMENTS = /"(person:[0-9a-f]{64})"/g;
const commitmentsIn = (text) => [...text.matchAll(COMMITMENTS)].map(([, commitment]) => commitment);
/** The two are the same in Python and here: a text, also of what is absent. */
const textOf = (value) => (isString(value) ? value : '');

/** The checks of one bundle, in the order of section 10. */
class Verifier {
  constructor(brought) {
    this.brought = brought;
    this.phase = 'bag'; // the code for whatever cannot be understood where it is now
    this.bundle = {};
    this.checked = [];
    this.notChecked = [];
    this.events = []; // null where one is withheld
    this.leaves = [];
    this.withheld = new Map();
    this.notAsked = null; // the first event that is withheld because of the range
    this.indexes = []; // of the events that are shown
    this.times = []; // when these were recorded
    this.known = new Set(); // the commitments in them
    this.keys = new Map(); // by party, by key id
    this.erased = new Map(); // the index of each person's erasure
  }

  verify(zip) {
    this.files = readContainer(zip);
    checkFiles(this.files);
    this.checked.push(`${this.files.size} files, each with the hash of the manifest`);
    const steps = [
      ['malformed', this.readFiles],
      ['identity', this.checkIdentity],
      ['event', this.readEvents],
      ['checkpoint-malformed', this.checkCheckpoints],
      ['command-malformed', this.checkEvents],
      ['command-malformed', this.checkPins],
      ['quorum', this.checkAgainstUser],
      ['person', this.checkPeople],
      ['custody', this.checkCustody],
    ];
    for (const [phase, step] of steps) {
      this.phase = phase;
      step.call(this);
    }
  }

  readFiles() {
    const read = (name, ...forms) => {
      return linesOf(this.files.get(`data/${name}`)).map((line) => valueOf(line, ...forms));
    };
    const single = (name, form) => {
      const values = read(name, form);
      return values.length === 1 ? values[0] : refuse('one line');
    };
    this.bundle = single('bundle.json', isBundle);
    this.request = single('request.json', isRequest);
    this.notes = read('checkpoints.jsonl', shape('note:text')).map(({ note }) => note);
    const lines = read('commands.jsonl', isCommandLine, isErasedLine);
    this.commands = new Map(lines.map((line) => [line.digest, line]));
    this.people = read('people.jsonl', isPerson, isErasedPerson);
    read('rejected.jsonl', isObject);
    read('waiting.jsonl', isObject);
    const names = this.people.map(({ commitment }) => commitment);
    for (const each of [lines.map(({ digest }) => digest), names]) {
      need(each.every((name, at) => at === 0 || each[at - 1] < name), 'malformed');
    }
    need(this.bundle.origin.endsWith(`/${this.bundle.partnership}`), 'malformed');
    if (this.request.simulated) {
      this.notChecked.push('whether any of this happened: the log is of a simulation');
    }
  }

  /** Log and verifiers against policy and pins, and whose the user's files are. */
  checkIdentity() {
    const { policy, pins, seen, receipts } = this.brought;
    const { origin } = this.bundle;
    if (policy === null) {
      this.notChecked.push("log and quorum: not pinned, the policy is the operator's own");
    }
    this.policy = policy ?? new Policy(this.files.get('data/policy.txt'));
    need(this.policy.logs.some(({ name }) => name === origin), 'identity');
    for (const [digest, name] of pins.files) {
      const file = this.files.get(`data/${name}`);
      need(file !== undefined && hex(file) === digest, 'verifier');
    }
    for (const thing of [...seen, ...receipts]) {
      const key = this.policy.key(origin, thing);
      const isOwn = thing.origin === origin && key !== undefined && isSignedBy(thing, key);
      if (!isOwn) throw new Misuse('a checkpoint or a receipt was not signed by this operator');
    }
  }

  readEvents() {
    const lines = linesOf(this.files.get('data/events.jsonl'));
    const noted = linesOf(this.files.get('data/hashes.txt'));
    const { size } = this.bundle;
    let before = '';
    for (let index = 0; index < Math.min(lines.length, noted.length); index += 1) {
      const event = within('malformed', index, () => valueOf(lines[index], isObject));
      const isHidden = hasOwn(event, 'withheld');
      need(!isHidden || isWithheld(event), 'malformed', index);
      const leaf = isHidden ? Buffer.from(event.withheld, 'hex') : sha256(LEAF, lines[index]);
      need(leaf.toString('hex') === noted[index].latin1Slice(), 'event-altered', index);
      this.leaves.push(leaf);
      if (isHidden) {
        this.withheld.set(event.why, (this.withheld.get(event.why) ?? 0) + 1);
        if (event.why === 'range') this.notAsked ??= index;
        this.events.push(null);
        continue;
      }
      need(isEvent(event) && this.isHere(event), 'event', index);
      const at = withoutZone(event.recorded_at);
      need(before <= at, 'event', index);
      before = at;
      this.events.push(event);
      this.indexes.push(index);
      this.times.push(at);
      for (const each of commitmentsIn(lines[index].latin1Slice())) this.known.add(each);
    }
    const isWhole = lines.length === noted.length && lines.length === size;
    need(isWhole, 'events-missing', Math.min(lines.length, noted.length, size));
    this.tree = new Tree(this.leaves);
    this.checked.push(`${size} events: each as it was recorded, none missing`);
    for (const [why, count] of [...this.withheld].sort()) {
      this.notChecked.push(`${count} events withheld (${why})`);
    }
  }

  isHere({ partnership, stream, type, party }) {
    const own = this.bundle.partnership;
    const isOwn = partnership === own && (stream === own || stream.startsWith(`${own}/`));
    return isOwn && hasOwn(RULES.kinds, type) && (party !== OPERATOR || OWN.has(type));
  }

  /** Signatures, roots and times of the chain of checkpoints. */
  checkCheckpoints() {
    const { origin, size, custody } = this.bundle;
    const odd = [];
    let last = null;
    this.notes.forEach((raw, line) => {
      const point = within('checkpoint-malformed', line, () => parseCheckpoint(raw));
      const grows = last === null || last.size <= point.size;
      need(point.origin === origin && grows, 'checkpoint-malformed', line);
      this.checkSignatures(point);
      need(last === null || last.time <= point.time, 'checkpoint-signature', point.size);
      need(this.tree.root(point.size) === point.root, 'checkpoint-root', point.size);
      this.checkTime(point);
      for (const [word, time] of point.cosigned) {
        const gap = Math.abs(time - point.time);
        if (gap > SKEW) odd.push({ gap, word, time, point });
      }
      last = point;
    });
    need(last !== null && (last.size === size || custody === null), 'checkpoint-malformed', size);
    this.last = last;
    this.checked.push(`${this.notes.length} checkpoints: signatures, roots and times`);
    if (last.size < size) this.notChecked.push(`${size - last.size} events behind the last checkpoint`);
    if (odd.length > 0) this.reportTimes(odd);
  }

  reportTimes(odd) {
    const sizes = new Set(odd.map(({ point }) => point.size));
    const [{ gap, word, time, point }] = odd.sort(
      (one, other) => other.gap - one.gap || one.point.size - other.point.size,
    );
    this.notChecked.push(
      `when events were recorded: ${sizes.size} checkpoints and their cosignatures are more than ` +
        `${SKEW} s apart, at most ${gap} s (the checkpoint of ${point.size} events: ` +
        `${instantOf(point.time)}Z by the log, ${instantOf(time)}Z by ${word})`,
    );
  }

  /** Adds to a checkpoint its time, and the times of its cosignatures by witness. */
  checkSignatures(point) {
    const code = 'checkpoint-signature';
    const key = this.policy.key(point.origin, point);
    need(key !== undefined && isSignedBy(point, key), code, point.size);
    const itself = { ...key, id: keyId(key.name, 4, key.key) };
    const own = signaturesBy(point, itself);
    point.time = own.length === 1 ? cosigned(point, itself, own[0]) : null;
    need(point.time !== null, code, point.size);
    point.cosigned = new Map();
    for (const [word, witness] of this.policy.witnesses) {
      const times = signaturesBy(point, witness).map((bytes) => cosigned(point, witness, bytes));
      need(!times.includes(null), code, point.size);
      if (times.length > 0) point.cosigned.set(word, Math.max(...times));
    }
  }

  /** Times never fall, so two searches find the first event that is too late or too early. */
  checkTime({ size, time }) {
    const latest = instantOf(time + SKEW);
    const late = firstWhere(this.times, (at) => at > latest);
    const behind = firstWhere(this.indexes, (index) => index >= size);
    need(late >= behind, 'checkpoint-time', this.indexes[late]);
    const isEarly = behind < this.times.length && this.times[behind] < instantOf(time - SKEW);
    need(!isEarly, 'checkpoint-time', this.indexes[behind]);
  }

  // --- section 7: who signed what ---

  checkEvents() {
    this.proposed = new Map(); // what can be accepted, by its digest
    this.read = new Map(); // the commands that events name
    this.lastNamed = new Map();
    this.nonces = new Map();
    this.ids = new Map();
    this.unseen = 0;
    this.unsigned = [];
    this.facts = new Map();
    this.others = 0;
    this.own = 0;
    const erasing = [];
    this.indexes.forEach((index, place) => {
      const event = this.events[index];
      if (KEY_EVENTS.has(event.type)) this.takeKey(index, event);
      if (event.type === 'PersonErased') {
        const person = textOf(event.data.person);
        if (!this.erased.has(person)) this.erased.set(person, index);
      }
      if (!hasOwn(event, 'signed')) this.checkUnsigned(index, event);
      else if (this.checkSigned(index, place, event) === null) erasing.push(index);
      if (PROPOSALS.has(event.type)) this.proposed.set(hex(canonical(event.data)), event.data);
    });
    for (const index of erasing) {
      const named = commitmentsIn(canonical(this.events[index]));
      need(named.some((who) => this.erased.get(who) > index), 'command-erased', index);
    }
    need(this.read.size === this.commands.size, 'command-unused');
    this.reportEvents(erasing.length);
  }

  reportEvents(erased) {
    const { notChecked } = this;
    const signed = [...this.read.values()].filter((command) => command !== null).length;
    this.checked.push(`${signed} signed commands, and the events that they yield`);
    if (erased > 0) notChecked.push(`${erased} events whose command was erased with a person`);
    if (this.unseen > 0) notChecked.push(`${this.unseen} acceptances of what was not asked for`);
    notChecked.push(...this.unsigned);
    for (const kind of [...this.facts.keys()].sort()) {
      const found = this.facts.get(kind);
      notChecked.push(`${found.length} facts that nobody signed (${kind})${total(found)}`);
    }
    if (this.others > 0) notChecked.push(`${this.others} other events that nobody signed; none binds`);
    if (this.own > 0) notChecked.push(`${this.own} events of the clock, of rules and of the operator`);
  }

  checkUnsigned(index, { type, party, source, data }) {
    const kind = RULES.kinds[type];
    const keys = [...(this.keys.get(party)?.values() ?? [])];
    const erases = kind === 'erases' && [...this.keys.values()].some((own) => own.size > 0);
    const isSettled = STATEMENTS.has(type) && source === 'accord:settle';
    const isBound = BINDING.has(kind) && (erases || keys.some(({ since }) => since < index));
    need(!isBound || isSettled, 'command-missing', index);
    if (type === 'FirstKeySentByOperator') {
      this.unsigned.push(`#${index} the operator itself sent the first key of ${textOf(data.party)}`);
    } else if (BINDING.has(kind)) {
      this.unsigned.push(`#${index} ${type} by ${party}: not signed${total([data])}`);
    } else if (FACTS.has(kind)) {
      this.facts.set(kind, [...(this.facts.get(kind) ?? []), data]);
    } else if (party === OPERATOR) {
      this.own += 1;
    } else {
      this.others += 1;
    }
  }

  takeKey(index, event) {
    const { type, data } = event;
    const party = type === 'KeyRecovered' ? this.recover(index, event) : event.party;
    if (!this.keys.has(party)) this.keys.set(party, new Map());
    const own = this.keys.get(party);
    if (type === 'KeyRevoked') {
      this.close(index, own, data.keyid);
      return;
    }
    const text = textOf(data.key);
    const key = unbase64(text, 32) ?? NO_BYTES;
    need(admitted(key), 'key-weak', index);
    const claim = `accord/key@v1\n${this.bundle.partnership}\n${party}\n${text}\n`;
    const proof = unbase64(data.proof, 64) ?? NO_BYTES;
    need(ed25519Verify(key, claim, proof), 'key-proof', index);
    const keyid = hex(key).slice(0, 16);
    const isNew = [...this.keys.values()].every((keys) => !keys.has(keyid));
    const expected = this.brought.pins.parties.get(party) ?? text;
    need(isNew && (own.size > 0 || expected === text), 'key-unknown', index);
    const { delegated } = type === 'KeyRotated' ? this.close(index, own, data.replaces) : data;
    own.set(keyid, { key, since: index, until: null, delegated: delegated ?? null });
  }

  /** Ends every key of the party whose new key the event's own party agrees; returns it. */
  recover(index, event) {
    const [party, author] = [textOf(event.data.party), event.party];
    const lost = this.keys.get(party) ?? new Map();
    need(lost.size > 0 && party !== author, 'key-unknown', index);
    need(hasOwn(event, 'signed'), 'command-missing', index);
    for (const key of lost.values()) key.until ??= index;
    this.unsigned.push(`#${index} the new key of ${party}: ${author} agreed it in its place`);
    return party;
  }

  close(index, keys, keyid) {
    const key = keys.get(textOf(keyid));
    need(key?.until === null, 'key-unknown', index);
    key.until = index;
    return key;
  }

  /** The command that an event names, null if it was erased. */
  checkSigned(index, place, event) {
    const digest = event.signed;
    if (!this.read.has(digest)) {
      need(this.commands.has(digest), 'command-missing', index);
      const line = this.commands.get(digest);
      this.read.set(digest, within('command-malformed', index, () => readCommand(line)));
    }
    const before = this.lastNamed.get(digest) ?? null;
    need(before === null || before.place === place - 1, 'command-replayed', index);
    const types = before?.types ?? [];
    this.lastNamed.set(digest, { place, types });
    const command = this.read.get(digest);
    if (command !== null) {
      this.checkCommand(index, event, command, before === null);
      this.checkYield(index, event, command.payload, types);
    }
    return command;
  }

  checkCommand(index, event, { payload, keyid, message, signature }, isFirst) {
    const { party, signed: digest, source, source_id: id } = event;
    const { origin, partnership } = this.bundle;
    const asked = payload.event;
    const said = [payload.origin, payload.partnership, asked.subject, payload.party];
    said.push(asked.party, asked.type);
    const here = [origin, partnership, partnership, party, party, payload.type];
    need(said.every((each, at) => each === here[at]), 'command-elsewhere', index);
    const own = this.keys.get(party);
    const key = own?.get(keyid);
    // A key signs its own registration only where the party has no other.
    const isActive = key?.since < index || (key?.since === index && own.size === 1);
    const isOpen = isActive && (key.until === null || key.until === index);
    const isDelegated = isOpen && (key.delegated?.includes(RULES.kinds[event.type]) ?? true);
    need(isDelegated, 'command-key', index);
    if (isFirst) need(ed25519Verify(key.key, message, signature), 'command-signature', index);
    const isOnly = (map, name) => {
      if (!map.has(name)) map.set(name, digest);
      return map.get(name) === digest;
    };
    const isUnused = isOnly(this.nonces, JSON.stringify([party, payload.nonce]));
    const isOnce = isOnly(this.ids, JSON.stringify([party, source, id]));
    const isOwn = asked.source === source && asked.id === id;
    need(isUnused && isOnce && isOwn, 'command-replayed', index);
    need(withoutZone(event.recorded_at) <= instant(payload.expires), 'command-expired', index);
    if (payload.expected !== null) {
      const text = [party, source, id].map((each) => `${[...each].length}:${each}`).join('');
      const isStart = event.event_id === hex(`${text}0`).slice(0, 32);
      const isExpected = payload.expected === event.stream_version - 1;
      need(!isStart || isExpected, 'command-version', index);
    }
    const { seen } = payload;
    const isSeenLog = seen === null || (seen.size <= index && this.tree.root(seen.size) === seen.root);
    need(isSeenLog, 'command-seen', index);
    const isActor = event.actor === asked.actor || FORMS.commitment(event.actor);
    const isTime = instant(event.occurred_at) === instant(asked.time);
    need(isActor && isTime, 'command-differs', index);
  }

  /** That the command yields the event, and how each of its members follows. */
  checkYield(index, { type, data }, payload, types) {
    const name = payload.type.replace(/^accord\./, '');
    const ruleOf = (of) => (hasOwn(RULES.commands, of) ? RULES.commands[of] : { events: {} });
    const asked = payload.event.data;
    let signed = isObject(asked) ? asked : {};
    let [rule, accepted] = [ruleOf(name), {}];
    if (name === 'ConfirmAct' && type !== 'ActConfirmed') {
      // A second person does what the first one did, and accepts what that one accepted.
      const held = this.proposed.get(signed.content);
      if (held === undefined) {
        const isHidden = this.notAsked !== null && this.notAsked < index;
        need(FORMS.digest(signed.content) && isHidden, 'command-content', index);
        return;
      }
      signed = isObject(held.data) ? held.data : {};
      rule = { accepts: false, events: ruleOf(held.command).events };
      accepted = this.proposed.get(signed.content) ?? {};
    }
    need(hasOwn(rule.events, type), 'command-yields', index);
    types.push(type);
    let added = rule.events[type];
    if (rule.accepts) {
      const found = this.proposed.get(signed.content);
      if (found === undefined) {
        const isHidden = this.notAsked !== null && this.notAsked < index;
        need(FORMS.digest(signed.content) && isHidden, 'command-content', index);
        if (types.length === 1) this.unseen += 1;
        added = null;
      }
      accepted = found ?? {};
    }
    if (type === 'SecondPersonAsked') signed = { command: name, data: signed };
    if (added === null) return;
    need(types.filter((each) => each === type).length === 1, 'command-yields', index);
    for (const member of Object.keys(data)) {
      const value = data[member];
      if (hasOwn(signed, member)) need(isAlike(value, signed[member]), 'command-differs', index);
      else if (hasOwn(accepted, member)) {
        need(isAlike(value, accepted[member]), 'command-content', index);
      } else need(added.includes(member), 'command-differs', index);
    }
  }

  /** That the log has every pinned key, and which first keys are pinned. */
  checkPins() {
    const { parties } = this.brought.pins;
    const first = new Map();
    for (const [party, keys] of this.keys) {
      first.set(party, Math.min(...[...keys.values()].map(({ since }) => since)));
    }
    need([...parties.keys()].every((party) => first.has(party)), 'key-unknown');
    this.unpinned = [...first.keys()].filter((party) => !parties.has(party));
    for (const [party, index] of [...first].sort(([, one], [, other]) => one - other)) {
      const isFree = this.unpinned.includes(party);
      const where = isFree ? this.notChecked : this.checked;
      where.push(`#${index} first key of ${party}: ${isFree ? 'not pinned' : 'as pinned'}`);
    }
  }

  /** The log against what the user saw before and asks for. */
  checkAgainstUser() {
    const { last, policy } = this;
    const { size } = this.bundle;
    const { seen, receipts, notBefore } = this.brought;
    for (const point of seen) {
      need(point.size > size || this.tree.root(point.size) === point.root, 'fork', point.size);
    }
    for (const point of seen) need(point.size <= size, 'stale', point.size);
    need(policy.isMetBy([...last.cosigned.keys()]), 'quorum', size);
    const since = instantOf(policy.witnessed(last.cosigned) ?? last.time);
    need((notBefore ?? '') <= since, 'stale', size);
    const time = instantOf(last.time);
    const reached = time > since ? time : since;
    for (const { first, leaves, deadline } of receipts) {
      const isDue = reached >= deadline;
      leaves.forEach((leaf, at) => {
        const isHere = first + at < (isDue ? last.size : size);
        const isRight = isHere ? this.leaves[first + at].equals(leaf) : !isDue;
        need(isRight, 'receipt', first + at);
      });
    }
    if (policy.quorum === 'none') {
      this.notChecked.push('whether others are shown another history: no witness is asked');
    } else {
      const count = last.cosigned.size;
      this.checked.push(`the quorum: ${count} witnesses cosigned the last checkpoint`);
    }
  }

  /** That each name gives its commitment, and that who was erased is on record. */
  checkPeople() {
    let named = 0;
    const untold = new Set(this.known);
    for (const { commitment, name, salt, erased } of this.people) {
      untold.delete(commitment);
      if (name === undefined) {
        need(this.erased.get(commitment) === erased, 'person');
        continue;
      }
      const text = `accord/person@v1\n${this.bundle.partnership}\n${salt}\n${name}`;
      need(commitment === `person:${hex(text)}` && this.known.has(commitment), 'person');
      named += 1;
    }
    this.checked.push(`${named} names of people`);
    const erased = this.people.length - named;
    if (erased > 0) this.notChecked.push(`${erased} people whose names were erased`);
    if (untold.size > 0) {
      this.notChecked.push(`${untold.size} people whose names are not in the bundle`);
    }
  }

  /** That the log has this export, with the digest of what is beside the log. */
  checkCustody() {
    const { custody } = this.bundle;
    if (custody === null) {
      this.notChecked.push('what is beside the log: the log does not have this export');
    } else {
      const event = this.events[custody];
      const isBeside = (name) => /^data\/(?!proofs\/)/.test(name) && !OF_LOG.includes(name);
      const digest = hex(manifest(this.files, [...this.files.keys()].filter(isBeside)));
      const isExport = event?.type === 'BundleExported' && event.party === OPERATOR;
      need(isExport && event.data.files === digest, 'custody', custody);
      this.checked.push('the export: the log has it, with all that is beside the log');
    }
    const stamps = [...this.files.keys()].filter((name) => name.endsWith('.tsr')).length;
    if (stamps > 0) this.notChecked.push(`${stamps} time stamps (RFC 3161)`);
    this.notChecked.push(...RULES.never);
  }
}

/** Whether what was recorded is what was meant, people's names aside. */
function isAlike(recorded, meant) {
  if (isString(recorded)) return recorded === meant || (isString(meant) && FORMS.commitment(recorded));
  if (Array.isArray(recorded) && Array.isArray(meant)) {
    return recorded.length === meant.length && recorded.every((each, at) => isAlike(each, meant[at]));
  }
  if (!isObject(recorded) || !isObject(meant)) return recorded === meant;
  const names = Object.keys(recorded);
  const isSameSize = names.length === Object.keys(meant).length;
  return isSameSize && names.every((name) => hasOwn(meant, name) && isAlike(recorded[name], meant[name]));
}

const MONEY = /^(-?)(0|[1-9][0-9]{0,30})(?:\.([0-9]{1,30}))?$/;

/** The sum of the amounts in these data by currency, as text. */
function total(found) {
  const amounts = new Map();
  for (const money of found.flatMap((data) => Object.values(data).filter(isObject))) {
    const match = isString(money.amount) ? MONEY.exec(money.amount) : null;
    if (match === null || !isString(money.currency) || !/^[A-Z]{3}$/.test(money.currency)) continue;
    if (!amounts.has(money.currency)) amounts.set(money.currency, []);
    amounts.get(money.currency).push(match);
  }
  return [...amounts.keys()].sort().map((currency) => {
    const matches = amounts.get(currency);
    const places = Math.max(...matches.map(([, , , part = '']) => part.length));
    const units = matches
      .map(([, sign, whole, part = '']) => BigInt(sign + whole + part.padEnd(places, '0')))
      .reduce((sum, each) => sum + each);
    const digits = String(units < 0n ? -units : units).padStart(places + 1, '0');
    const split = digits.length - places;
    const fraction = places > 0 ? `.${digits.slice(split)}` : '';
    return `, ${units < 0n ? '-' : ''}${digits.slice(0, split)}${fraction} ${currency}`;
  }).join('');
}

// --- Section 10: what a verifier says --------------------------------------------------------------

const VERDICTS = { 'RECORD VERIFIED': 0, 'CONSISTENT, NOT PINNED': 4, FAULT: 3 };

/**
 * What a verifier says of a bundle: the object that `--json` prints.
 *
 * `options`: `policy` and `pins` (bytes, or null), `seen` and `receipts` (arrays of bytes), and
 * `notBefore` (a moment as text, or null). Throws where the user's own files are not understood.
 */
export function verify(zip, options = {}) {
  const { policy = null, pins = null, seen = [], receipts = [], notBefore = null } = options;
  const brought = understood(() => ({
    policy: policy === null ? null : new Policy(policy),
    pins: new Pins(pins ?? NO_BYTES),
    seen: seen.map((bytes) => parseCheckpoint(utf8(bytes))),
    receipts: receipts.map((bytes) => parseReceipt(utf8(bytes))),
    notBefore: notBefore === null ? null : instant(notBefore) ?? refuse('--not-before: no moment'),
  }));
  const verifier = new Verifier(brought);
  let fault = null;
  try {
    verifier.verify(zip);
  } catch (error) {
    if (error instanceof Misuse) throw error;
    // No input makes a verifier crash.
    fault = error instanceof Fault ? error : new Fault(verifier.phase);
  }
  const isPinned = policy !== null && verifier.unpinned?.length === 0;
  const right = isPinned ? 'RECORD VERIFIED' : 'CONSISTENT, NOT PINNED';
  return {
    verdict: fault === null ? right : 'FAULT',
    code: fault?.code ?? null,
    index: fault?.index ?? null,
    detail: RULES.words[fault?.code ?? right],
    origin: verifier.bundle.origin ?? null,
    size: verifier.bundle.size ?? null,
    checked: verifier.checked,
    not_checked: verifier.notChecked,
  };
}

function understood(read) {
  try {
    return read();
  } catch (error) {
    throw new Misuse(error instanceof Refused ? error.message : 'a file cannot be understood');
  }
}

function asText({ verdict, code, index, detail, checked, not_checked: notChecked }) {
  const where = code === null ? '' : ` ${code}${index === null ? '' : ` at ${index}`}`;
  const listed = (lines) => lines.map((line) => `  ${line}`);
  const lines = [`${verdict}${where}`, detail, 'Checked:', ...listed(checked)];
  lines.push('Not checked:', ...listed(notChecked));
  // What a bundle says of itself shall not steer the terminal that it is shown on.
  return lines.map((line) => line.replace(/[^ -~]/gu, '?')).join('\n');
}

/** The bytes of a file the user names. A bundle beyond the limits is not read, and is none. */
function contents(path) {
  try {
    const file = openSync(path);
    const bytes = fstatSync(file).size > LARGEST_ZIP ? NO_BYTES : readFileSync(file);
    closeSync(file);
    return bytes;
  } catch (error) {
    throw new Misuse(`${path} cannot be read: ${error.code}`);
  }
}

function main() {
  const text = { type: 'string' };
  const several = { type: 'string', multiple: true, default: [] };
  const options = { policy: text, pins: text, seen: several, receipt: several, 'not-before': text };
  const { values, positionals } = understood(() => {
    return parseArgs({ options: { ...options, json: { type: 'boolean' } }, allowPositionals: true });
  });
  if (positionals.length !== 1) throw new Misuse('give one FILE.zip');
  const result = verify(contents(positionals[0]), {
    policy: values.policy === undefined ? null : contents(values.policy),
    pins: values.pins === undefined ? null : contents(values.pins),
    seen: values.seen.map(contents),
    receipts: values.receipt.map(contents),
    notBefore: values['not-before'] ?? null,
  });
  process.stdout.write(`${values.json ? canonical(result) : asText(result)}\n`);
  process.exitCode = VERDICTS[result.verdict];
}

/** Whether this file is run, and not imported. */
function isScript() {
  try {
    return realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}

try {
  if (isScript()) main();
} catch (error) {
  if (!(error instanceof Misuse)) throw error;
  process.stderr.write(`verify: ${error.message}\n`);
  process.exitCode = 2;
}
