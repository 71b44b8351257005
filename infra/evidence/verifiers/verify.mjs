#!/usr/bin/env node
/**
 * Verifies an Accord evidence bundle offline, with Node 20.15 or later and `rules.json` beside it.
 *
 *     node verify.mjs FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
 *                              [--not-before MOMENT] [--json]
 *
 * `FORMAT.md` says what is checked; "section" below means a section of that page. `rules.json` has
 * the limits, the forms, and what each command may record. Whether a statement is right is another
 * question (`accord audit replay`).
 */
import { isUtf8 } from 'node:buffer';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32, inflateRawSync } from 'node:zlib';

const RULES = JSON.parse(readFileSync(new URL('rules.json', import.meta.url), 'utf8'));
const LIMITS = RULES.limits;
const PATTERNS = mapped(RULES.patterns, (pattern) => new RegExp(`^(?:${pattern})$`));
const PROPOSALS = new Set(RULES.proposals);
const BINDING = new Set(['binds', 'erases']);
const OWN = new Set(RULES.own);
const KEY_EVENTS = new Set(['KeyRecovered', 'KeyRegistered', 'KeyRotated', 'KeyRevoked', 'SignaturesRequired']);
const OPERATOR = 'accord'; // the party of what the clock, agreed rules and the operator record

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

function need(right, code, index = null) {
  if (!right) throw new Fault(code, index);
}

/** What was read has another form. */
function refuse(why) {
  throw new Error(why);
}

// --- Section 2: JSON, moments, base64 ----------------------------------------------------------

function mapped(object, change) {
  return new Map(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

const isString = (value) => typeof value === 'string';
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isWhole = (value) => Number.isSafeInteger(value) && !Object.is(value, -0);
const hasOwn = Object.hasOwn;
/** The value if it is a text, else the empty one. */
const textOf = (value) => (isString(value) ? value : '');

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
  if (depth > LIMITS.levels) refuse('too many levels');
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each, depth + 1)).join(',')}]`;
  let text = '';
  for (const key of Object.keys(value).sort()) {
    if (!/^[\x00-\x7f]*$/.test(key)) refuse('a key beyond ASCII');
    text += `${text && ','}${JSON.stringify(key)}:${canonical(value[key], depth + 1)}`;
  }
  return `{${text}}`;
}

/** The value of bytes that are its canonical form. */
export function parse(bytes) {
  const text = utf8(bytes);
  const value = JSON.parse(text);
  return canonical(value) === text ? value : refuse('not in canonical form');
}

/** A POSIX time as a text that sorts with moments: these are compared without their `Z`. */
function instantOf(seconds) {
  return new Date(Math.min(Math.max(seconds, 0), LIMITS.time) * 1000).toISOString().slice(0, 19);
}

const withoutZone = (moment) => moment.slice(0, -1);

/** The bytes of base64 in its only form, and of that size if one is given; or null. */
function unbase64(value, size = null) {
  if (!isString(value)) return null;
  const bytes = Buffer.from(value, 'base64');
  if (bytes.toString('base64') !== value) return null;
  return size === null || bytes.length === size ? bytes : null;
}

/** The groups of a pattern of `rules.json` that a text has. */
function matched(pattern, text) {
  const match = PATTERNS.get(pattern).exec(text) ?? refuse(`not a ${pattern}`);
  return match.slice(1);
}

const NO_BYTES = Buffer.alloc(0);
const TYPES = new Map([
  ['text', isString],
  ['flag', (value) => typeof value === 'boolean'],
  ['object', isObject],
  ['count', (value) => isWhole(value) && value >= 0],
]);

/** A check that a value has a form: a type, or a pattern of `rules.json`. */
function formOf(word) {
  const form = word.replace(/\|null$/, '');
  const isForm = TYPES.get(form) ?? ((value) => isString(value) && PATTERNS.get(form).test(value));
  return form === word ? isForm : (value) => value === null || isForm(value);
}

/** A check that a value is an object of exactly the members of a form of `rules.json`. */
function shape(name) {
  const members = Object.entries(RULES.forms[name]);
  const forms = new Map(members.map(([member, word]) => [member.replace('?', ''), formOf(word)]));
  const needed = members.map(([member]) => member).filter((member) => !member.endsWith('?'));
  return (value) => {
    if (!isObject(value)) return false;
    for (const member of Object.keys(value)) if (!forms.get(member)?.(value[member])) return false;
    return needed.every((member) => hasOwn(value, member));
  };
}

/** The value of a line, or of a file, that has a form. */
function valueOf(bytes, isForm) {
  const value = bytes.length > LIMITS.line ? refuse('too long') : parse(bytes);
  return isForm(value) ? value : refuse('other members or types');
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

const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const keyObjects = new Map();

/** Whether section 8 admits a public key: in its only form, and not of small order. */
export function admitted(key) {
  return key.length === 32 && !PATTERNS.get('weak').test(Buffer.from(key).toString('hex'));
}

function keyObject(publicKey) {
  const name = publicKey.toString('hex');
  if (!keyObjects.has(name)) {
    const der = { key: Buffer.concat([DER_PREFIX, publicKey]), format: 'der', type: 'spki' };
    keyObjects.set(name, createPublicKey(der));
  }
  return keyObjects.get(name);
}

/** Whether a signature is right by the strict rules of section 8. */
export function ed25519Verify(publicKey, message, signature) {
  if (!admitted(publicKey) || signature.length !== 64) return false;
  // The library refuses S from the order on, and compares R with the bytes that it computes.
  return verifySignature(null, Buffer.from(message), keyObject(publicKey), signature);
}

// --- Section 5: notes and checkpoints ----------------------------------------------------------

/** A key as signed notes name it: name, key id and public key. */
const keyOf = (name, type, key) => {
  return { name, id: hex(`${name}\n`, Buffer.from([type]), key).slice(0, 8), key };
};

/** A verifier key of a type, which section 8 admits. */
function parseKey(text, type) {
  const [name, id, encoded] = matched('key', text);
  const bytes = unbase64(encoded, 33) ?? refuse('not a key');
  const key = keyOf(name, type, bytes.subarray(1));
  const isKey = bytes[0] === type && key.id === id && admitted(key.key);
  return isKey ? key : refuse('not a verifier key of this type');
}

/** A checkpoint or a receipt: a signed note whose text has this pattern; first is its origin. */
function parseNote(bytes, pattern) {
  const [text, block] = matched('note', utf8(bytes));
  const signatures = block.split('\n').slice(0, -1).map((line) => {
    const [name, encoded] = matched('signature', line);
    const body = unbase64(encoded) ?? NO_BYTES;
    return body.length > 4 ? { name, id: body.toString('hex', 0, 4), body: body.subarray(4) } : refuse('too short');
  });
  if (bytes.length > LIMITS.note || signatures.length > LIMITS.signatures) refuse('too long');
  return { text, signatures, parts: matched(pattern, text) };
}

/** The signatures under the key's name and id. */
const signaturesBy = ({ signatures }, { name, id }) => {
  return signatures.filter((one) => one.name === name && one.id === id).map(({ body }) => body);
};

/** Whether exactly one signature stands under the key's name and id, and it is right. */
function isSignedBy(note, key) {
  const own = signaturesBy(note, key);
  return own.length === 1 && ed25519Verify(key.key, note.text, own[0]);
}

/** The times of the cosignatures under the key's name and id, 0 for a wrong one. */
function timesBy(note, key) {
  return signaturesBy(note, key).map((body) => {
    const time = body.length === 72 ? body.readBigUInt64BE(0) : 0n;
    const message = `cosignature/v1\ntime ${time}\n${note.text}`;
    const isRight = time <= LIMITS.time && ed25519Verify(key.key, message, body.subarray(8));
    return isRight ? Number(time) : 0;
  });
}

// --- Section 6: policy and pins ----------------------------------------------------------------

/** The words of each line that has some. */
function wordsOf(bytes) {
  const text = utf8(bytes);
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) refuse('a control character');
  const lines = text.split('\n').map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''));
  return lines.filter((line) => line && !line.startsWith('#')).map((line) => line.split(/[ \t]+/));
}

/** Whom a user trusts for the log. An address behind a key is passed over. */
class Policy {
  constructor(bytes) {
    this.logs = [];
    this.witnesses = new Map();
    this.groups = new Map();
    this.quorum = '';
    for (const words of wordsOf(bytes)) this.take(...words);
    const members = [...this.groups.values()].flatMap((group) => group.members);
    // Under two names, or in two groups, a witness would count twice.
    const keysOf = (of) => of.map(({ key }) => key.toString('hex'));
    for (const each of [keysOf(this.logs), keysOf([...this.witnesses.values()]), members]) {
      if (new Set(each).size < each.length) refuse('two with one key, or a member of two groups');
    }
    if (this.logs.length === 0 || this.quorum === '') refuse('no log, or no quorum');
  }

  take(keyword, name = '', ...rest) {
    const isFree = !this.isKnown(name) && name !== 'none';
    if (keyword === 'log' && rest.length <= 1) {
      this.logs.push(parseKey(name, 1));
    } else if (keyword === 'witness' && (rest.length === 1 || rest.length === 2) && isFree) {
      this.witnesses.set(name, parseKey(rest[0], 4));
    } else if (keyword === 'group' && rest.length > 1 && isFree) {
      this.groups.set(name, this.group(...rest));
    } else if (keyword === 'quorum' && rest.length === 0 && this.quorum === '' && name !== '') {
      this.quorum = name === 'none' || this.isKnown(name) ? name : refuse('nobody');
    } else {
      refuse('not a line of a policy, or one that contradicts another');
    }
  }

  group(needed, ...members) {
    const count = { all: members.length, any: 1 }[needed] ?? Number(matched('number', needed)[0]);
    const isKnown = members.every((member) => this.isKnown(member));
    return isKnown && count >= 1 && count <= members.length ? { count, members } : refuse('a group');
  }

  isKnown(name) {
    return this.witnesses.has(name) || this.groups.has(name);
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
    for (const [keyword, word, value, ...rest] of wordsOf(bytes)) {
      const isParty = keyword === 'party' && unbase64(value, 32) && !this.parties.has(word);
      const isFile = keyword === 'verifier' && PATTERNS.get('digest').test(word) && isString(value);
      if (!(isParty || isFile) || rest.length > 0) refuse('not a line of pins');
      if (isParty) this.parties.set(word, value);
      else this.files.push([word, value]);
    }
  }
}

// --- Section 1: the container ------------------------------------------------------------------

const OF_LOG = RULES.files.log;
const NEEDED = new Set([...OF_LOG, ...RULES.files.beside]);

function littleEndianOf(size, ...numbers) {
  const bytes = Buffer.alloc(size * numbers.length);
  numbers.forEach((each, at) => bytes.writeUIntLE(each, at * size, size));
  return bytes;
}

/**
 * The files of a bundle by name: a ZIP in the one form that section 1 gives it. The directory and
 * the end are computed from the entries, and compared as bytes.
 */
function readContainer(zip) {
  need(zip.length <= LIMITS.packed, 'bag');
  const [files, directory] = [new Map(), []];
  let [at, left] = [0, LIMITS.unpacked];
  while (zip.subarray(at, at + 4).equals(Buffer.from('PK\x03\x04'))) {
    const [flags, method, length, extra] = [6, 8, 26, 28].map((offset) => zip.readUInt16LE(at + offset));
    const [crc, packed, size] = [14, 18, 22].map((offset) => zip.readUInt32LE(at + offset));
    const [header, start] = [zip.subarray(at + 4, at + 30), at + 30 + length];
    const bytes = zip.subarray(at + 30, start);
    const name = bytes.toString('latin1');
    left -= size;
    const isPlain = (method === 0 || method === 8) && flags === 0 && extra === 0;
    const isNew = bytes.every((byte) => byte < 128) && !files.has(name);
    need(isPlain && isNew && left >= 0 && files.size < LIMITS.entries, 'bag');
    const place = littleEndianOf(4, 0o600 * 65536, at);
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), header, Buffer.alloc(6), place, bytes);
    at = start + packed;
    files.set(name, unpacked(zip.subarray(start, at), method, size, crc));
  }
  const block = Buffer.concat(directory);
  const end = [littleEndianOf(2, 0, 0, files.size, files.size), littleEndianOf(4, block.length, at)];
  const rest = [block, Buffer.from('PK\x05\x06'), ...end, littleEndianOf(2, 0)];
  need(zip.subarray(at).equals(Buffer.concat(rest)), 'bag');
  return files;
}

function unpacked(packed, method, size, crc) {
  let bytes = packed;
  if (method !== 0) {
    const found = inflateRawSync(packed, { maxOutputLength: Math.max(size, 1), info: true });
    need(found.engine.bytesWritten === packed.length, 'bag');
    bytes = found.buffer;
  }
  need(bytes.length === size && crc32(bytes) === crc, 'bag');
  return bytes;
}

function checkFiles(files) {
  const payload = [...files.keys()].filter((name) => !/^(bagit|manifest-sha256)\.txt$/.test(name));
  need([...NEEDED].every((name) => files.has(name)) && files.size === payload.length + 2, 'bag');
  need(payload.every((name) => NEEDED.has(name) || PATTERNS.get('file').test(name)), 'bag');
  need(files.get('bagit.txt').equals(Buffer.from(RULES.files.bagit)), 'bag');
  need(files.get('manifest-sha256.txt').equals(Buffer.from(manifest(files, payload))), 'bag');
}

/** A line for each of these files: its SHA-256 and its name. */
function manifest(files, names) {
  return [...names].sort().map((name) => `${hex(files.get(name))}  ${name}\n`).join('');
}

// --- Section 7: signed commands ----------------------------------------------------------------

const isEvent = shape('event');
const isPayload = shape('payload');
const isSeen = shape('seen');
const peopleIn = (type) => (hasOwn(RULES.people, type) ? RULES.people[type] : []);
const isCommitment = (value) => isString(value) && PATTERNS.get('commitment').test(value);

/** The command of a DSSE envelope: what its party signed, key and signature. */
function parseCommand([encoded, type, keyid, sig]) {
  const bytes = unbase64(encoded) ?? NO_BYTES;
  const payload = valueOf(bytes, isPayload);
  if (payload.seen !== null && !isSeen(payload.seen)) refuse('not what somebody saw');
  const message = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${bytes.length} `), bytes]);
  return { payload, keyid, message, signature: unbase64(sig) };
}

// --- The verifier --------------------------------------------------------------------------------

const commitmentsIn = (text) => text.match(new RegExp(RULES.patterns.commitment, 'g')) ?? [];

/** The checks of one bundle, in the order of section 10. */
class Verifier {
  constructor(brought) {
    this.brought = brought;
    this.phase = ['bag', null]; // the fault of what has another form
    this.bundle = {};
    this.checked = [];
    this.notChecked = [];
    this.events = new Map(); // by index, those that are shown
    this.times = []; // when these were recorded
    this.leaves = [];
    this.streams = new Map(); // last version of each, and how many were withheld
    this.cut = null; // the first event that is withheld as behind the range
    this.notAsked = null; // the first event that is withheld because of the range
    this.behind = 0; // the first of these behind the checkpoint that is looked at
    this.signed = 0; // the size and the time of the last checkpoint so far
    this.time = 0;
    this.cosigned = new Map(); // the times of its cosignatures, by witness
    this.keys = new Map(); // by party, by key id
    this.sent = new Set(); // the ids of the keys that the operator sent
    this.required = new Map(); // the kinds that a party requires signed
    this.isPinned = true; // whether the first key of every party is pinned
    this.caused = { cause: null, place: 0, at: -1 }; // the last cause, its place and index
    this.gone = new Map(); // each erased command's erasure and person
    this.proposed = new Map(); // the events that can be accepted, by digest of the data
    this.named = new Map(); // the commands that events name, by digest
    this.used = new Map(); // nonces and sources with their command
    this.counted = new Map(); // what is not checked: the data and the place of each
    this.unsigned = [];
  }

  /** Counts one more of what is not checked, with its data, and its index if that is listed. */
  count(what, data = {}, index = null) {
    if (!this.counted.has(what)) this.counted.set(what, []);
    this.counted.get(what).push({ data, place: index === null ? '' : ` #${index}` });
  }

  /** The events of a type that are shown. */
  of(type) {
    return [...this.events.values()].filter((event) => event.type === type);
  }

  verify(zip) {
    this.files = readContainer(zip);
    checkFiles(this.files);
    this.checked.push(`${this.files.size} files, each with the hash of the manifest`);
    const steps = [
      ['malformed', this.readFiles],
      ['identity', this.checkIdentity],
      ['malformed', this.readEvents],
      ['checkpoint-malformed', this.checkCheckpoints],
      ['command-malformed', this.checkEvents],
      ['quorum', this.checkAgainstUser],
      ['person', this.checkPeople],
      ['file', this.checkBrought],
      ['custody', this.checkCustody],
    ];
    for (const [code, step] of steps) {
      this.phase = [code, null];
      step.call(this);
    }
  }

  /** Reads every file but the events. */
  readFiles() {
    const lines = (name) => linesOf(this.files.get(`data/${name}`));
    const rows = (name, isForm) => lines(name).map((line) => valueOf(line, isForm));
    const single = (values) => (values.length === 1 ? values[0] : refuse('one line'));
    this.bundle = single(rows('bundle.json', shape('bundle')));
    this.request = single(rows('request.json', shape('request')));
    this.notes = rows('checkpoints.jsonl', shape('checkpoint')).map(({ note }) => note);
    this.people = rows('people.jsonl', shape('person'));
    for (const name of ['rejected.jsonl', 'waiting.jsonl']) rows(name, isObject);
    const envelopes = lines('commands.jsonl');
    const commands = envelopes.map((line) => [hex(line), matched('envelope', line.latin1Slice())]);
    this.commands = new Map(commands);
    this.names = new Map(this.people.map(({ commitment, name }) => [commitment, name]));
    for (const names of [commands.map(([digest]) => digest), this.people.map(({ commitment }) => commitment)]) {
      need(names.every((name, at) => at === 0 || names[at - 1] < name), 'malformed');
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
    for (const note of [...seen, ...receipts]) {
      const key = this.policy.key(origin, note);
      const isOwn = note.parts[0] === origin && key !== undefined && isSignedBy(note, key);
      if (!isOwn) throw new Misuse('a checkpoint or a receipt was not signed by this operator');
    }
  }

  /** The events, each compared with the hash that was noted when it was recorded. */
  readEvents() {
    const lines = linesOf(this.files.get('data/events.jsonl'));
    const noted = linesOf(this.files.get('data/hashes.txt'));
    const { size } = this.bundle;
    let before = '';
    for (let index = 0; index < Math.min(lines.length, noted.length); index += 1) {
      this.phase = ['malformed', index];
      const line = lines[index];
      const hidden = line.length < 256 ? PATTERNS.get('withheld').exec(line.latin1Slice()) : null;
      const leaf = hidden ? Buffer.from(hidden[2], 'hex') : sha256(LEAF, line);
      need(leaf.toString('hex') === noted[index].latin1Slice(), 'event-altered', index);
      this.leaves.push(leaf);
      if (hidden) {
        this.withhold(index, hidden[1], before);
        continue;
      }
      const event = valueOf(line, isEvent);
      const at = withoutZone(event.recorded_at);
      need(this.isHere(event) && this.follows(index, event) && before <= at, 'event', index);
      need(this.isDerived(index, event), 'event', index);
      need(this.cut === null || at > withoutZone(this.request.to), 'event', this.cut);
      before = at;
      this.events.set(index, event);
      this.times.push(at);
    }
    const isWhole = lines.length === noted.length && lines.length === size;
    need(isWhole, 'events-missing', Math.min(lines.length, noted.length, size));
    this.indexes = [...this.events.keys()];
    this.tree = new Tree(this.leaves);
    this.checked.push(`${size} events: each as it was recorded, none missing`);
  }

  /** Notes a withheld event; what was not asked for is outside of the range that was. */
  withhold(index, why, before) {
    if (why === 'range') {
      const { from, to } = this.request;
      const isBegun = from === null || before >= withoutZone(from);
      need(!isBegun || to !== null, 'event', index);
      if (isBegun) this.cut ??= index;
      this.notAsked ??= index;
    }
    this.count(`events withheld (${why})`);
  }

  /** Whether no event of its stream is missing before it, unless that may be withheld. */
  follows(index, { stream, stream_version: version }) {
    const hidden = index - this.events.size;
    const { last, already } = this.streams.get(stream) ?? { last: 0, already: 0 };
    this.streams.set(stream, { last: version, already: hidden });
    return version > last && version - last <= 1 + hidden - already;
  }

  /** Whether the id follows from the cause, and from the place among the events of that. */
  isDerived(index, { party, source, source_id: id, event_id: eventId }) {
    const cause = [party, source, id].map((each) => `${[...each].length}:${each}`).join('');
    const last = this.caused;
    // Events of one cause follow each other, so each that is withheld between takes a place.
    const gap = index - last.at;
    const [first, end] = cause === last.cause ? [last.place + gap, last.place + gap] : [0, gap - 1];
    for (let place = first; place <= end; place += 1) {
      if (hex(`${cause}${place}`).slice(0, 32) === eventId) {
        this.caused = { cause, place, at: index };
        return true;
      }
    }
    return false;
  }

  isHere({ partnership, stream, type, party }) {
    const own = this.bundle.partnership;
    const isOwn = partnership === own && (stream === own || stream.startsWith(`${own}/`));
    return isOwn && hasOwn(RULES.kinds, type) && (party !== OPERATOR || OWN.has(type));
  }

  /** Signatures, roots and times of the chain of checkpoints. */
  checkCheckpoints() {
    const far = [];
    let [late, latest, witnessed] = [0, 0, 0]; // the longest wait for witnesses, and what they saw
    this.notes.forEach((raw, line) => {
      this.phase = ['checkpoint-malformed', line];
      const note = parseNote(Buffer.from(raw), 'checkpoint');
      const [origin, number, root] = note.parts;
      const size = Number(number);
      const isNext = origin === this.bundle.origin && this.signed <= size;
      need(isNext, 'checkpoint-malformed', line);
      const time = this.checkSignatures(note, size);
      need(this.time <= time, 'checkpoint-signature', size);
      need(this.tree.root(size) === root, 'checkpoint-root', size);
      this.checkTime(size, time);
      [this.signed, this.time] = [size, time];
      const seen = this.policy.witnessed(this.cosigned);
      if (seen !== null) {
        const first = this.indexes.findIndex((index) => index >= witnessed);
        const index = this.indexes[first];
        const wait = index < size ? seen - Date.parse(`${this.times[first].slice(0, 19)}Z`) / 1000 : 0;
        if (wait > late) [late, latest] = [wait, index];
        witnessed = size;
      }
      for (const [word, other] of this.cosigned) {
        const text = `${instantOf(time)}Z by the log, ${instantOf(other)}Z by ${word})`;
        const gap = Math.abs(other - time);
        if (gap > LIMITS.skew) far.push({ gap, size, text });
      }
    });
    need(this.signed === this.bundle.size, 'checkpoint-malformed', this.bundle.size);
    this.checked.push(`${this.notes.length} checkpoints: signatures, roots and times`);
    if (late > LIMITS.skew) {
      this.notChecked.push(`when events were recorded: #${latest} was witnessed ${late} s after its time`);
    }
    if (far.length === 0) return;
    const { gap, size, text } = far.reduce((most, each) => (each.gap > most.gap ? each : most));
    this.notChecked.push(
      `when events were recorded: ${new Set(far.map((each) => each.size)).size} checkpoints and ` +
        `their cosignatures are more than ${LIMITS.skew} s apart, at most ${gap} s (the ` +
        `checkpoint of ${size} events: ${text}`,
    );
  }

  /** Every signature that the policy names; notes the cosignatures, and gives the time. */
  checkSignatures(note, size) {
    const code = 'checkpoint-signature';
    const key = this.policy.key(note.parts[0], note);
    need(key !== undefined && isSignedBy(note, key), code, size);
    const own = timesBy(note, keyOf(key.name, 4, key.key));
    need(own.length === 1 && own[0] > 0, code, size);
    this.cosigned = new Map();
    for (const [word, witness] of this.policy.witnesses) {
      const times = timesBy(note, witness);
      need(!times.includes(0), code, size);
      if (times.length > 0) this.cosigned.set(word, Math.max(...times));
    }
    return own[0];
  }

  /** Times never fall, so the events beside the end of the checkpoint speak for all others. */
  checkTime(size, time) {
    while (this.indexes[this.behind] < size) this.behind += 1;
    const [last, next] = [this.behind - 1, this.behind];
    const isLate = this.times[last] > instantOf(time + LIMITS.skew);
    need(!isLate, 'checkpoint-time', this.indexes[last]);
    const isEarly = this.times[next] < instantOf(time - LIMITS.skew);
    need(!isEarly, 'checkpoint-time', this.indexes[next]);
  }

  // --- section 7: who signed what ---

  checkEvents() {
    let place = 0;
    for (const [index, event] of this.events) {
      this.phase = ['command-malformed', index];
      if (KEY_EVENTS.has(event.type)) this.takeKey(index, event);
      else if (event.type === 'PersonErased') this.takeErasure(index, event.data);
      if (hasOwn(event, 'signed')) this.checkSigned(place, index, event);
      else this.checkUnsigned(index, event);
      if (PROPOSALS.has(event.type)) this.proposed.set(hex(canonical(event.data)), event);
      place += 1;
    }
    for (const [digest, { command, indexes }] of this.named) {
      if (command === null) this.checkErased(digest, indexes);
    }
    need([...this.commands.keys()].every((digest) => this.named.has(digest)), 'command-unused');
    const pinned = [...this.brought.pins.parties.keys()];
    need(pinned.every((party) => this.keys.has(party)), 'key-unknown');
    this.checked.push(`${this.commands.size} signed commands, and the events that they yield`);
    this.notChecked.push(...this.unsigned);
    for (const [what, found] of [...this.counted].sort(([one], [other]) => (one < other ? -1 : 1))) {
      const indexes = found.map(({ place }) => place).join('');
      this.notChecked.push(`${found.length} ${what}${indexes}${total(found.map(({ data }) => data))}`);
    }
  }

  /** Notes whose name an event erases, and which commands with it. */
  takeErasure(index, { person, commands }) {
    need(Array.isArray(commands), 'command-malformed', index);
    for (const digest of commands.map(textOf)) {
      if (!this.gone.has(digest)) this.gone.set(digest, [index, textOf(person)]);
    }
  }

  /** That a command that is not there was erased with a person, and that it was one command. */
  checkErased(digest, indexes) {
    const [events, index] = [indexes.map((at) => this.events.get(at)), indexes[0]];
    const shown = events.map(({ actor, data, type }) => {
      return [actor, ...peopleIn(type).filter((name) => hasOwn(data, name)).map((name) => data[name])];
    });
    const named = commitmentsIn(canonical(shown));
    const [erasure, person] = this.gone.get(digest) ?? [-1, ''];
    need(erasure > indexes.at(-1) && named.includes(person), 'command-missing', index);
    const causes = events.map(({ party, source, source_id: id }) => JSON.stringify([party, source, id]));
    const types = events.map(({ type }) => type);
    const isOnce = (type) => types.filter((each) => each === type).length === 1;
    const mayYield = ({ events: rule }) => {
      return types.every((type) => hasOwn(rule, type) && (rule[type] === null || isOnce(type)));
    };
    const isOne = new Set(causes).size === 1 && Object.values(RULES.commands).some(mayYield);
    need(isOne, 'command-yields', index);
    events.forEach(({ type, party, data }, at) => {
      if (BINDING.has(RULES.kinds[type])) {
        const text = `#${indexes[at]} ${type} by ${party}: its command was erased`;
        this.unsigned.push(`${text} with a person${total([data])}`);
      } else this.count('events whose command was erased with a person', data);
    });
  }

  checkUnsigned(index, { type, party, source, data }) {
    const kind = RULES.kinds[type];
    if (BINDING.has(kind) || this.required.get(party)?.includes(kind)) {
      const keys = kind === 'erases' ? [...this.keys.values()] : [this.keys.get(party) ?? new Map()];
      const isBound = keys.some((own) => [...own.values()].some(({ since }) => since < index));
      const isSettled = RULES.statements.includes(type) && source === 'accord:settle';
      need(!isBound || isSettled, 'command-missing', index);
      this.unsigned.push(`#${index} ${type} by ${party}: not signed${total([data])}`);
    } else if (type === 'KeySentByOperator') {
      this.sent.add(data.keyid);
      this.unsigned.push(`#${index} the operator itself sent a key of ${textOf(data.party)}`);
    } else if (RULES.facts.includes(kind)) {
      this.count(`facts that nobody signed (${kind})`, data);
    } else if (party === OPERATOR) {
      this.count('events of the clock, of rules and of the operator');
    } else {
      this.count('other events that nobody signed; none binds');
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
    if (type === 'SignaturesRequired') {
      need(Array.isArray(data.kinds), 'key-unknown', index);
      this.required.set(party, data.kinds);
      return;
    }
    const text = textOf(data.key);
    const key = unbase64(text, 32) ?? NO_BYTES;
    need(admitted(key), 'key-weak', index);
    const claim = `accord/key@v1\n${this.bundle.partnership}\n${party}\n${text}\n`;
    const proof = unbase64(data.proof, 64) ?? NO_BYTES;
    need(ed25519Verify(key, claim, proof), 'key-proof', index);
    const keyid = hex(key).slice(0, 16);
    need([...this.keys.values()].every((keys) => !keys.has(keyid)), 'key-unknown', index);
    if (own.size === 0) {
      const pinned = this.brought.pins.parties.get(party) ?? null;
      need(pinned === null || pinned === text, 'key-unknown', index);
      this.isPinned &&= pinned !== null;
      const [where, how] = pinned ? [this.checked, 'as'] : [this.notChecked, 'not'];
      where.push(`#${index} first key of ${party}: ${how} pinned`);
    }
    const { delegated } = type === 'KeyRotated' ? this.close(index, own, data.replaces) : data;
    need((data.delegated ?? null) === null || Array.isArray(data.delegated), 'key-unknown', index);
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

  checkSigned(place, index, event) {
    const digest = event.signed;
    if (!this.named.has(digest)) {
      const envelope = this.commands.get(digest);
      const command = envelope === undefined ? null : parseCommand(envelope);
      this.named.set(digest, { command, indexes: [], place: null, types: [] });
    }
    const named = this.named.get(digest);
    need(named.place === null || named.place === place - 1, 'command-replayed', index);
    if (named.command === null) {
      // The command of a key is never erased: all other signatures rest on it.
      need(!KEY_EVENTS.has(event.type), 'command-missing', index);
    } else {
      this.checkCommand(index, event, named.command, named.place === null);
      this.checkYield(index, event, named.command.payload, named.types);
    }
    named.place = place;
    named.indexes.push(index);
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
    // Else the operator alone could replace the keys of both parties.
    const isOwn = event.type !== 'KeyRecovered' || !this.sent.has(keyid);
    need(isDelegated && isOwn, 'command-key', index);
    if (isFirst) need(ed25519Verify(key.key, message, signature), 'command-signature', index);
    for (const use of [JSON.stringify([party, payload.nonce]), JSON.stringify([party, source, id])]) {
      if (!this.used.has(use)) this.used.set(use, digest);
      need(this.used.get(use) === digest, 'command-replayed', index);
    }
    need(asked.source === source && asked.id === id, 'command-replayed', index);
    need(withoutZone(event.recorded_at) <= withoutZone(payload.expires), 'command-expired', index);
    if (payload.expected !== null) {
      const text = [party, source, id].map((each) => `${[...each].length}:${each}`).join('');
      const isStart = event.event_id === hex(`${text}0`).slice(0, 32);
      const isExpected = payload.expected === event.stream_version - 1;
      need(!isStart || isExpected, 'command-version', index);
    }
    const { seen } = payload;
    const isSeenLog = seen === null || (seen.size <= index && this.tree.root(seen.size) === seen.root);
    need(isSeenLog, 'command-seen', index);
    const isActor = isAlike(event.actor, asked.actor ?? '', this.names);
    need(isActor && event.occurred_at === asked.time, 'command-differs', index);
    for (const member of ['causation', 'correlation']) {
      const isSame = (event[`${member}_id`] ?? null) === (asked[`${member}id`] ?? null);
      need(isSame, 'command-differs', index);
    }
  }

  /** That the command yields the event, and how each of its members follows. */
  checkYield(index, { type, data }, payload, types) {
    const ruleOf = (name) => (hasOwn(RULES.commands, name) ? RULES.commands[name] : { events: {} });
    const name = payload.type.replace(/^accord\./, '');
    const asked = hasOwn(payload.event, 'data') ? payload.event.data : {};
    need(isObject(asked), 'command-malformed', index);
    let [signed, rule, accepted] = [asked, ruleOf(name), {}];
    let { accepts } = rule;
    if (name === 'ConfirmAct' && type !== 'ActConfirmed') {
      // A second person does what the first one did, and accepts what that one accepted.
      const held = this.accepted(index, signed, true);
      if (held === undefined) return;
      signed = isObject(held.data) ? held.data : {};
      [rule, accepts] = [ruleOf(textOf(held.command)), false];
      accepted = this.proposed.get(textOf(signed.content))?.data ?? {};
    }
    need(hasOwn(rule.events, type), 'command-yields', index);
    const added = rule.events[type];
    types.push(type);
    if (accepts) {
      accepted = this.accepted(index, signed, name === 'ConfirmAct');
    }
    if (type === 'SecondPersonAsked') signed = { command: name, data: signed };
    if (added === null) this.count(`${type} not compared with what was signed:`, data, index);
    if (added === null || accepted === undefined) return;
    need(types.filter((each) => each === type).length === 1, 'command-yields', index);
    // A member that was signed or accepted, and is left out, has the value null.
    for (const member of [...new Set([...Object.keys(data), ...RULES.members[type]])].sort()) {
      const value = hasOwn(data, member) ? data[member] : null;
      const names = peopleIn(type).includes(member) ? this.names : null;
      if (hasOwn(signed, member)) need(isAlike(value, signed[member], names), 'command-differs', index);
      else if (hasOwn(accepted, member)) {
        need(isAlike(value, accepted[member], names), 'command-content', index);
      } else need(!hasOwn(data, member) || added.includes(member), 'command-differs', index);
    }
  }

  /** What a signed acceptance accepts; undefined if that may be withheld for its range. */
  accepted(index, { content }, isAct) {
    const found = this.proposed.get(textOf(content));
    const isFitting = found === undefined || isAct === (found.type === 'SecondPersonAsked');
    const isHidden = this.notAsked !== null && this.notAsked < index;
    const mayBe = isHidden && PATTERNS.get('digest').test(textOf(content));
    need(isFitting && (found !== undefined || mayBe), 'command-content', index);
    const resting = this.events.get(index).data;
    if (found === undefined) this.count('events that rest on what was not asked for:', resting, index);
    return found?.data;
  }

  /** The log against what the user saw before and asks for. */
  checkAgainstUser() {
    const { policy, cosigned } = this;
    const { size } = this.bundle;
    for (const { parts } of this.brought.seen) {
      const number = Number(parts[1]);
      need(number <= size, 'stale', number);
      need(this.tree.root(number) === parts[2], 'fork', number);
    }
    need(policy.isMetBy([...cosigned.keys()]), 'quorum', size);
    const witnessed = instantOf(policy.witnessed(cosigned) ?? this.time);
    need(this.brought.notBefore <= witnessed, 'stale', size);
    const reached = [instantOf(this.time), witnessed].sort()[1];
    for (const { parts: [, first, leaves, deadline] } of this.brought.receipts) {
      const isDue = reached >= withoutZone(deadline);
      [...leaves.matchAll(/leaf (.*)\n/g)].forEach(([, leaf], at) => {
        const index = Number(first) + at;
        const isRight = index < size ? this.leaves[index].toString('base64') === leaf : !isDue;
        need(isRight, 'receipt', index);
      });
    }
    if (policy.quorum === 'none') {
      this.notChecked.push('whether others are shown another history: no witness is asked');
    } else {
      this.checked.push(`the quorum: ${cosigned.size} witnesses cosigned the last checkpoint`);
    }
  }

  /** That each name gives its commitment, and that an event shown has this. */
  checkPeople() {
    const untold = new Set(commitmentsIn(this.files.get('data/events.jsonl').latin1Slice()));
    for (const { commitment, name, salt } of this.people) {
      const digest = hex(`accord/person@v1\n${this.bundle.partnership}\n${salt}\n${name}`);
      need(commitment === `person:${digest}` && untold.delete(commitment), 'person');
    }
    this.checked.push(`${this.people.length} names of people`);
    const gone = new Set(this.of('PersonErased').map(({ data }) => data.person));
    const erased = [...untold].filter((who) => gone.has(who)).length;
    if (erased > 0) this.notChecked.push(`${erased} people whose names were erased`);
    const others = untold.size - erased;
    if (others > 0) this.notChecked.push(`${others} people whose names are not in the bundle`);
  }

  /** That each file in the bundle is one that an event shown names by its digest. */
  checkBrought() {
    const shown = this.files.get('data/events.jsonl').latin1Slice();
    const member = new RegExp(`"sha256":"(${RULES.patterns.digest})"`, 'g');
    const named = new Set([...shown.matchAll(member)].map(([, digest]) => digest));
    const brought = [...this.files.keys()].filter((name) => name.startsWith('data/files/'));
    for (const file of brought) {
      const name = file.slice(-64);
      need(named.has(name) && hex(this.files.get(file)) === name, 'file');
    }
    if (named.size > 0) this.checked.push(`${brought.length} files that events name by their digest`);
    const missing = named.size - brought.length;
    if (missing > 0) this.notChecked.push(`${missing} files that events name are not in the bundle`);
  }

  /** That the log has this export, with the digest of what is beside the log. */
  checkCustody() {
    const isBeside = (name) => /^data\/(?!proofs\/)/.test(name) && !OF_LOG.includes(name);
    const digest = hex(manifest(this.files, [...this.files.keys()].filter(isBeside)));
    const { reason, for: party } = this.request;
    const isThis = ({ party: by, data }) => {
      const isAsked = data.reason === reason && (data.party ?? null) === party;
      return by === OPERATOR && data.files === digest && isAsked;
    };
    need(this.of('BundleExported').some(isThis), 'custody');
    this.checked.push('the export: the log has it, with all that is beside the log');
    for (const [ending, what] of [['.tsr', 'time stamps (RFC 3161)'], ['.tlog-proof', 'proofs']]) {
      const count = [...this.files.keys()].filter((name) => name.endsWith(ending)).length;
      if (count > 0) this.notChecked.push(`${count} ${what}`);
    }
    this.notChecked.push(...RULES.never);
  }
}

/** Whether what was recorded is what was meant: a commitment may be of any name not known,
 * but without `names` no commitment may be in the place of a name. */
function isAlike(recorded, meant, names) {
  if (isString(recorded)) {
    const isPerson = names !== null && isString(meant) && isCommitment(recorded);
    const mayBe = isPerson && (names.get(recorded) ?? meant) === meant;
    return recorded === meant || mayBe;
  }
  if (Array.isArray(recorded) && Array.isArray(meant)) {
    return recorded.length === meant.length && recorded.every((each, at) => isAlike(each, meant[at], names));
  }
  if (!isObject(recorded) || !isObject(meant)) return recorded === meant;
  const members = Object.keys(recorded);
  const isSame = (name) => hasOwn(meant, name) && isAlike(recorded[name], meant[name], names);
  return members.length === Object.keys(meant).length && members.every(isSame);
}

/** Each object at any depth that has an `amount` that is no object itself. */
function moneys(value) {
  const parts = isObject(value) || Array.isArray(value) ? Object.values(value).flatMap(moneys) : [];
  return isObject(value) && hasOwn(value, 'amount') && !isObject(value.amount) ? [value, ...parts] : parts;
}

/** The sums of the amounts in these data, by currency and sign, as text. */
function total(found) {
  const amounts = new Map();
  let odd = 0;
  for (const money of found.flatMap((data) => Object.values(data)).flatMap(moneys)) {
    const [amount, currency] = [textOf(money.amount), textOf(money.currency)];
    if (PATTERNS.get('amount').test(amount) && PATTERNS.get('currency').test(currency)) {
      // One sum of both signs would hide what cancels out.
      const [, sign, number] = /^(-?)(.*)$/.exec(amount);
      const key = `${currency}${sign}`;
      if (!amounts.has(key)) amounts.set(key, []);
      amounts.get(key).push(number.split('.'));
    } else odd += 1;
  }
  const sums = [...amounts.keys()].sort().map((key) => {
    const parts = amounts.get(key);
    const places = parts.reduce((most, [, part = '']) => Math.max(most, part.length), 0);
    const units = parts.reduce((sum, [whole, part = '']) => sum + BigInt(whole + part.padEnd(places, '0')), 0n);
    const digits = String(units).padStart(places + 1, '0');
    const split = digits.length - places;
    const fraction = places > 0 ? `.${digits.slice(split)}` : '';
    return `, ${key.slice(3)}${digits.slice(0, split)}${fraction} ${key.slice(0, 3)}`;
  }).join('');
  return odd > 0 ? `${sums}, ${odd} amounts not understood` : sums;
}

// --- Section 10: what a verifier says --------------------------------------------------------------

const VERDICTS = { 'RECORD VERIFIED': 0, 'CONSISTENT, NOT PINNED': 4, FAULT: 3 };

/** What the user brings: bytes of files, and a moment. Throws where one is not understood. */
export function bring({ policy = null, pins = NO_BYTES, seen = [], receipts = [], notBefore = null } = {}) {
  return {
    policy: policy === null ? null : new Policy(policy),
    pins: new Pins(pins),
    seen: seen.map((bytes) => parseNote(bytes, 'checkpoint')),
    receipts: receipts.map((bytes) => parseNote(bytes, 'receipt')),
    notBefore: notBefore === null ? '' : withoutZone(matched('moment', notBefore)[0]),
  };
}

/** What a verifier says of the bytes of a bundle: the object that `--json` prints. */
export function verify(zip, brought = bring()) {
  const verifier = new Verifier(brought);
  let fault = null;
  try {
    verifier.verify(zip);
  } catch (error) {
    if (error instanceof Misuse) throw error;
    // No input makes a verifier crash.
    fault = error instanceof Fault ? error : new Fault(...verifier.phase);
  }
  const isPinned = brought.policy !== null && verifier.isPinned && verifier.keys.size > 0;
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

function asText({ verdict, code, index, detail, checked, not_checked: notChecked }) {
  const where = code === null ? '' : ` ${code}${index === null ? '' : ` at ${index}`}`;
  const listed = (lines) => lines.map((line) => `  ${line}`);
  const lines = [`${verdict}${where}`, detail, 'Checked:', ...listed(checked)];
  lines.push('Not checked:', ...listed(notChecked));
  // What a bundle says of itself shall not steer the terminal that it is shown on.
  return lines.map((line) => line.replace(/[^ -~]/gu, '?')).join('\n');
}

/** The bytes of a file of the user's, unless it is larger than a bundle can be. */
function contents(path) {
  try {
    return statSync(path).size <= LIMITS.packed ? readFileSync(path) : refuse('too long');
  } catch (error) {
    throw new Misuse(`${path} cannot be read: ${error.code ?? error.message}`);
  }
}

function understood(read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse(error.message);
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
  const brought = understood(() => {
    return bring({
      policy: values.policy && contents(values.policy),
      pins: values.pins && contents(values.pins),
      seen: values.seen.map(contents),
      receipts: values.receipt.map(contents),
      notBefore: values['not-before'],
    });
  });
  const result = verify(contents(positionals[0]), brought);
  process.stdout.write(`${values.json ? canonical(result) : asText(result)}\n`);
  process.exitCode = VERDICTS[result.verdict];
}

/** Whether this file is run, and not imported. */
function isScript() {
  const path = process.argv[1] ?? '';
  return existsSync(path) && realpathSync(path) === fileURLToPath(import.meta.url);
}

try {
  if (isScript()) main();
} catch (error) {
  if (!(error instanceof Misuse)) throw error;
  process.stderr.write(`verify: ${error.message}\n`);
  process.exitCode = 2;
}
