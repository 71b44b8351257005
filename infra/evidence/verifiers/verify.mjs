#!/usr/bin/env node
/**
 * Verifies an Accord evidence bundle offline, with Node 20.15 or later and `rules.json` beside it.
 *
 *     node verify.mjs FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
 *                              [--not-before MOMENT] [--json]
 *
 * `FORMAT.md` says what is checked; "section" below means a section of that page. Whether a
 * statement is right is another question (`accord audit replay`).
 */
import { isUtf8 } from 'node:buffer';
import { createPublicKey, hash, verify as verifySignature } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { crc32, inflateRawSync } from 'node:zlib';

const RULES = JSON.parse(readFileSync(new URL('rules.json', import.meta.url), 'utf8'));
const LIMITS = RULES.limits;
const wholeOf = ([name, pattern]) => [name, new RegExp(`^(?:${pattern})$`)];
const PATTERNS = new Map(Object.entries(RULES.patterns).map(wholeOf));
const PROPOSALS = new Set(RULES.proposals);
const OPERATOR = 'accord'; // the party of what the clock, agreed rules and the operator record

/** A bundle is refused: its `reason` is a code of section 10, and an index or null. */
class Fault extends Error {}

/** The verifier was called wrongly, or its user's own files cannot be read: exit code 2. */
class Misuse extends Error {}

function need(right, code, index = null) {
  if (!right) throw Object.assign(new Fault(code), { reason: [code, index] });
}

/** What was read has another form. */
function refuse(why) {
  throw new Error(why);
}

// --- Section 2: JSON, moments, base64 ---
const isString = (value) => typeof value === 'string';
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isWhole = (value) => Number.isSafeInteger(value) && !Object.is(value, -0);
const matches = (pattern, value) => isString(value) && PATTERNS.get(pattern).test(value);
const allOf = (pattern, text) => [...text.matchAll(new RegExp(pattern, 'g'))];
/** The value if it is a text, else the empty one. */
const textOf = (value) => (isString(value) ? value : '');
/** The member of an object, not of its prototype; else the other value. */
const memberOf = (object, name, other) => (Object.hasOwn(object, name) ? object[name] : other);

const sha256 = (...pieces) => hash('sha256', Buffer.concat(pieces), 'buffer');
const hex = (data) => hash('sha256', data);

function utf8(bytes) {
  const text = isUtf8(bytes) ? bytes.toString('utf8') : refuse('not UTF-8');
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

/** The bytes of base64 in its only form, and of that size if one is given; else none. */
function unbase64(value, size = null) {
  const bytes = Buffer.from(textOf(value), 'base64');
  const isRight = bytes.toString('base64') === value && (size === null || bytes.length === size);
  return isRight ? bytes : Buffer.alloc(0);
}

/** The groups of a pattern of `rules.json` that a text has. */
function matched(pattern, text) {
  return (PATTERNS.get(pattern).exec(text) ?? refuse(`not a ${pattern}`)).slice(1);
}

const TYPES = {
  text: isString,
  flag: (value) => typeof value === 'boolean',
  object: isObject,
  count: (value) => isWhole(value) && value >= 0,
};

/** A check that a value has a type, or a pattern or a form of `rules.json`. */
function shape(word) {
  const name = word.replace(/\|null$/, '');
  let isForm = TYPES[name] ?? ((value) => matches(name, value));
  if (Object.hasOwn(RULES.forms, name)) {
    const members = Object.entries(RULES.forms[name]);
    const forms = new Map(members.map(([member, each]) => [member.replace('?', ''), shape(each)]));
    const needed = members.map(([member]) => member).filter((member) => !member.endsWith('?'));
    isForm = (value) => {
      if (!isObject(value) || !needed.every((member) => Object.hasOwn(value, member))) return false;
      return Object.keys(value).every((member) => forms.get(member)?.(value[member]));
    };
  }
  return name === word ? isForm : (value) => value === null || isForm(value);
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

// --- Section 4: the Merkle tree ---
const [LEAF, NODE] = [Buffer.from([0]), Buffer.from([1])];

/** The Merkle tree over leaf hashes (RFC 6962 section 2.1), with the root of every size. */
export class Tree {
  constructor(leaves) {
    this.levels = [leaves]; // the roots of the full trees over 1, 2, 4 ... leaves
    for (let below = leaves; below.length > 1; below = this.levels.at(-1)) {
      const right = below.filter((_, at) => at % 2 === 1);
      this.levels.push(right.map((each, at) => sha256(NODE, below[2 * at], each)));
    }
  }

  /** Whether the first so many leaf hashes are there, and have this root in base64. */
  isRoot(size, root) {
    if (size > this.levels[0].length) return false;
    // There is a full tree for each bit of the size, the smallest on the right.
    const full = this.levels.map((level, at) => (size >> at) % 2 && level[(size >> at) - 1]);
    const join = (right, left) => (right && left ? sha256(NODE, left, right) : right || left);
    return (full.reduce(join, 0) || sha256()).toString('base64') === root;
  }
}

// --- Section 8: Ed25519 ---
const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Whether section 8 admits a public key: in its only form, and not of small order. */
export function admitted(key) {
  return key.length === 32 && !matches('weak', Buffer.from(key).toString('hex'));
}

/** Whether a signature is right by the strict rules of section 8. */
export function ed25519Verify(publicKey, message, signature) {
  if (!admitted(publicKey) || signature.length !== 64) return false;
  const der = Buffer.concat([DER_PREFIX, publicKey]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  // The library refuses S from the order on, and compares R with the bytes that it computes.
  return verifySignature(null, Buffer.from(message), key, signature);
}

// --- Section 5: notes and checkpoints ---
/** A key as signed notes name it: name, type, key id and public key. */
function keyOf(name, type, key) {
  const id = hex(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), key])).slice(0, 8);
  return { name, type, id, key };
}

/** A verifier key of a type, which section 8 admits. */
function parseKey(text, type) {
  const [name, id, encoded] = matched('key', text);
  const bytes = unbase64(encoded, 33);
  const key = keyOf(name, type, bytes.subarray(1));
  const isRight = bytes[0] === type && key.id === id && admitted(key.key);
  return isRight ? key : refuse('not a verifier key of this type');
}

/** A checkpoint or a receipt: a signed note whose text has this pattern; first is its origin. */
function parseNote(pattern, bytes) {
  const [text, block] = matched('note', utf8(bytes));
  const signatures = block.split('\n').slice(0, -1).map((line) => {
    const [name, encoded] = matched('signature', line);
    const body = unbase64(encoded);
    if (body.length <= 4) refuse('too short');
    return { name, id: body.toString('hex', 0, 4), body: body.subarray(4) };
  });
  if (bytes.length > LIMITS.note || signatures.length > LIMITS.signatures) refuse('too long');
  return { text, signatures, parts: matched(pattern, text) };
}

/** The times of the signatures under the key's name and id: 0 if wrong, 1 if it has none. */
function timesBy({ text, signatures }, { name, type, id, key }) {
  return signatures.filter((each) => each.name === name && each.id === id).map(({ body }) => {
    if (type === 1) return Number(ed25519Verify(key, text, body));
    const time = body.length === 72 ? body.readBigUInt64BE(0) : 0n;
    const message = `cosignature/v1\ntime ${time}\n${text}`;
    const isRight = time <= LIMITS.time && ed25519Verify(key, message, body.subarray(8));
    return isRight ? Number(time) : 0;
  });
}

// --- Section 6: policy and pins ---
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
    const keys = [...this.logs, ...this.witnesses.values()];
    const once = keys.map(({ type, key }) => `${type} ${key.toString('hex')}`);
    // Under two names, or in two groups, a witness would count twice.
    once.push(...[...this.groups.values()].flatMap(({ members }) => members));
    if (new Set(once).size < once.length || this.logs.length === 0 || this.quorum === '') {
      refuse('two with one key, a member of two groups, no log, or no quorum');
    }
  }

  take(keyword, name = '', ...rest) {
    const isKnown = (word) => this.witnesses.has(word) || this.groups.has(word);
    const isFree = !isKnown(name) && name !== 'none';
    if (keyword === 'log' && rest.length <= 1) {
      this.logs.push(parseKey(name, 1));
    } else if (keyword === 'witness' && (rest.length === 1 || rest.length === 2) && isFree) {
      this.witnesses.set(name, parseKey(rest[0], 4));
    } else if (keyword === 'group' && rest.length > 1 && isFree && rest.slice(1).every(isKnown)) {
      const [needed, ...members] = rest;
      const words = new Map([['all', members.length], ['any', 1]]);
      const count = words.get(needed) ?? Number(matched('number', needed)[0]);
      this.groups.set(name, { count, members });
      if (count < 1 || count > members.length) refuse('not a group');
    } else if (keyword === 'quorum' && rest.length === 0 && (isKnown(name) || name === 'none')) {
      this.quorum = this.quorum === '' ? name : refuse('two quorums');
    } else {
      refuse('not a line of a policy, or one that contradicts another');
    }
  }

  /** The log's key of an origin by which the note has exactly one signature, a right one. */
  key(origin, note) {
    const own = this.logs.filter(({ name }) => name === origin);
    return own.find((key) => timesBy(note, key).join() === '1');
  }

  /** The last second since when cosignatures meet the quorum; the first by when, if -1. */
  witnessed(times, sign = 1) {
    for (const time of [...times.values()].sort((one, other) => sign * (other - one))) {
      const met = new Set([...times.keys()].filter((word) => sign * (times.get(word) - time) >= 0));
      for (const [word, { count, members }] of this.groups) {
        if (members.filter((member) => met.has(member)).length >= count) met.add(word);
      }
      if (met.has(this.quorum)) return time;
    }
    return null;
  }
}

/** The keys that a user expects, by party, and the digests of verifiers, with their names. */
function readPins(bytes) {
  const pins = wordsOf(bytes).map((words) => matched('pin', words.join(' ')));
  const parties = pins.filter(([party]) => party !== undefined);
  if (new Map(parties).size < parties.length) refuse('two keys of a party');
  const files = pins.filter(([party]) => party === undefined).map((pin) => pin.slice(2));
  return { parties: new Map(parties), files };
}

// --- Section 1: the container ---
const NEEDED = new Set(RULES.files.needed);

function littleEndianOf(size, ...numbers) {
  const bytes = Buffer.alloc(size * numbers.length);
  numbers.forEach((each, at) => bytes.writeUIntLE(each, at * size, size));
  return bytes;
}

/** The files of a bundle by name: a ZIP in the one form that section 1 gives it. */
function readContainer(zip) {
  need(zip.length <= LIMITS.packed, 'bag');
  const [files, directory] = [new Map(), []];
  let [at, left] = [0, LIMITS.unpacked];
  while (zip.subarray(at, at + 4).equals(Buffer.from('PK\x03\x04'))) {
    const [flags, method, length, extra] = [6, 8, 26, 28].map((to) => zip.readUInt16LE(at + to));
    const [crc, packed, size] = [14, 18, 22].map((to) => zip.readUInt32LE(at + to));
    const [header, start] = [zip.subarray(at + 4, at + 30), at + 30 + length];
    const name = zip.subarray(at + 30, start);
    left -= size;
    const isPlain = (method === 0 || method === 8) && flags === 0 && extra === 0;
    const isNew = name.every((byte) => byte < 128) && !files.has(name.latin1Slice());
    need(isPlain && isNew && left >= 0 && files.size < LIMITS.entries, 'bag');
    const place = littleEndianOf(4, 0o600 * 65536, at);
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), header, Buffer.alloc(6), place, name);
    at = start + packed;
    let bytes = zip.subarray(start, at);
    if (method !== 0) {
      const found = inflateRawSync(bytes, { maxOutputLength: Math.max(size, 1), info: true });
      need(found.engine.bytesWritten === bytes.length, 'bag');
      bytes = found.buffer;
    }
    need(bytes.length === size && crc32(bytes) === crc, 'bag');
    files.set(name.latin1Slice(), bytes);
  }
  // The directory and the end follow from the entries, and are compared as bytes.
  const [block, { size: count }] = [Buffer.concat(directory), files];
  const end = [littleEndianOf(2, 0, 0, count, count), littleEndianOf(4, block.length, at, 0)];
  const rest = Buffer.concat([block, Buffer.from('PK\x05\x06'), ...end]).subarray(0, -2);
  need(zip.subarray(at).equals(rest), 'bag');
  return files;
}

function checkFiles(files) {
  const payload = [...files.keys()].filter((name) => !/^(bagit|manifest-sha256)\.txt$/.test(name));
  need([...NEEDED].every((name) => files.has(name)) && files.size === payload.length + 2, 'bag');
  need(payload.every((name) => NEEDED.has(name) || matches('file', name)), 'bag');
  need(files.get('bagit.txt').equals(Buffer.from(RULES.files.bagit)), 'bag');
  need(files.get('manifest-sha256.txt').equals(Buffer.from(manifest(files, payload))), 'bag');
}

/** A line for each of these files: its SHA-256 and its name. */
function manifest(files, names) {
  return [...names].sort().map((name) => `${hex(files.get(name))}  ${name}\n`).join('');
}

// --- Section 7: signed commands ---
const isEvent = shape('event');
const isPayload = shape('payload');
const peopleIn = (type) => memberOf(RULES.people, type, []);

/** The command of a DSSE envelope: what its party signed, key and signature. */
function parseCommand([encoded, type, keyid, sig]) {
  const bytes = unbase64(encoded);
  const start = Buffer.from(`DSSEv1 ${type.length} ${type} ${bytes.length} `);
  const message = Buffer.concat([start, bytes]);
  return { payload: valueOf(bytes, isPayload), keyid, message, signature: unbase64(sig) };
}

/** What an event follows from: the events of one cause have places from 0. */
const causeOf = ({ party, source, source_id: id }) => {
  return [party, source, id].map((each) => `${[...each].length}:${each}`).join('');
};
const idOf = (cause, place) => hex(`${cause}${place}`).slice(0, 32);

/** Whether a command with this rule yields a type, and once, as one of these events. */
function mayYield({ events: yields }, type, events) {
  const isOnce = () => events.filter((each) => each.type === type).length === 1;
  return Object.hasOwn(yields, type) && (yields[type] === null || isOnce());
}

/** What a file of the user's says, unless it is larger than a bundle can be. */
function contents(path, read = (bytes) => bytes) {
  try {
    return read(statSync(path).size <= LIMITS.packed ? readFileSync(path) : refuse('too long'));
  } catch (error) {
    throw new Misuse(`${path} cannot be read: ${error.message}`);
  }
}

/** The checks of one bundle, in the order of section 10. */
class Verifier {
  constructor({ policy, pins, seen = [], receipt = [], 'not-before': notBefore }) {
    if (notBefore !== undefined && !matches('moment', notBefore)) throw new Misuse('no moment');
    this.asked = policy !== undefined ? contents(policy, (bytes) => new Policy(bytes)) : null;
    this.pins = pins !== undefined ? contents(pins, readPins) : { parties: new Map(), files: [] };
    this.seen = seen.map((path) => contents(path, (bytes) => parseNote('checkpoint', bytes)));
    this.receipts = receipt.map((path) => contents(path, (bytes) => parseNote('receipt', bytes)));
    this.notBefore = withoutZone(notBefore ?? '');
    this.phase = ['bag', null]; // the fault of what has another form
    this.bundle = {};
    this.notChecked = [];
    this.open = new Map(); // what is not checked of which events
    this.events = new Map(); // by index, those that are shown
    this.times = []; // when these were recorded
    this.parties = []; // of the log, as the events so far name them
    this.leaves = [];
    this.notAsked = []; // the events that are withheld because of the range
    this.streams = new Map(); // last version of each, and how many were withheld
    this.caused = { cause: null, place: 0, at: -1 }; // the last cause, its place and index
    [this.signed, this.time] = [0, 0]; // the size and the time of the last checkpoint so far
    this.cosigned = new Map(); // the times of its cosignatures, by witness
    this.keys = new Map(); // by party, by key id
    this.sent = new Set(); // the ids of the keys that the operator sent
    this.required = new Map(); // the kinds that a party requires signed
    this.erased = new Set(); // the commitments of the people who were
    this.gone = new Map(); // each erased command's erasure
    this.proposed = new Map(); // the events that can be accepted, by digest of the data
    this.named = new Map(); // the commands that events name, by digest
    this.used = new Map(); // nonces and sources with their command
    this.answered = new Set(); // the facts to which a party signed an answer
  }

  /** Notes what is not checked of an event; it is counted, or listed by `#` and its index. */
  leave(what, index) {
    if (!this.open.has(what)) this.open.set(what, []);
    this.open.get(what).push(index);
  }

  verify(zip) {
    this.files = readContainer(zip);
    checkFiles(this.files);
    for (const [code, step] of [
      ['malformed', this.readFiles],
      ['identity', this.checkIdentity],
      ['malformed', this.readEvents],
      ['checkpoint-malformed', this.checkCheckpoints],
      ['command-malformed', this.checkEvents],
      ['quorum', this.checkAgainstUser],
      ['person', this.checkPeopleAndFiles],
      ['custody', this.checkCustody],
    ]) {
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
    const envelopes = lines('commands.jsonl').map((line) => [hex(line), line.latin1Slice()]);
    need(envelopes.every(([, line]) => line.length <= LIMITS.line), 'malformed');
    this.commands = new Map(envelopes.map(([digest, line]) => [digest, matched('envelope', line)]));
    need(this.commands.size === envelopes.length, 'malformed');
    this.names = new Map(this.people.map(({ commitment, name }) => [commitment, name]));
    need(this.bundle.origin.endsWith(`/${this.bundle.partnership}`), 'malformed');
  }

  /** Log and verifiers against policy and pins, and whose the user's files are. */
  checkIdentity() {
    const { asked, pins, seen, receipts, bundle: { origin } } = this;
    this.policy = asked ?? new Policy(this.files.get('data/policy.txt'));
    for (const [isLeft, what] of [
      [this.request.simulated, 'whether any of this happened: the log is of a simulation'],
      [this.request.from, `only events from ${this.request.from} were asked for`],
      [this.request.to, `only events to ${this.request.to} were asked for`],
      [asked === null, "log and quorum: not pinned, the policy is the operator's own"],
      [this.policy.quorum === 'none', 'whether others are shown another history: no witness'],
    ]) {
      if (isLeft) this.notChecked.push(what);
    }
    need(this.policy.logs.some(({ name }) => name === origin), 'identity');
    for (const [digest, name] of pins.files) {
      const file = this.files.get(`data/${name}`);
      need(file !== undefined && hex(file) === digest, 'verifier');
    }
    for (const note of [...seen, ...receipts]) {
      const isOwn = note.parts[0] === origin && this.policy.key(origin, note) !== undefined;
      if (!isOwn) throw new Misuse('a checkpoint or a receipt was not signed by this operator');
    }
  }

  /** The events (section 4) and their leaf hashes. */
  readEvents() {
    this.lines = linesOf(this.files.get('data/events.jsonl'));
    const { lines, times } = this;
    for (const [index, line] of lines.entries()) {
      this.phase = ['malformed', index];
      const hidden = line.length < 256 ? PATTERNS.get('withheld').exec(line.latin1Slice()) : null;
      this.leaves.push(hidden ? Buffer.from(hidden[2], 'hex') : sha256(LEAF, line));
      if (hidden) {
        if (hidden[1] === 'range') this.notAsked.push(index);
        this.leave(`events withheld (${hidden[1]})`, index);
      } else {
        const event = valueOf(line, isEvent);
        times.push(withoutZone(event.recorded_at));
        need(this.isNext(index, event) && this.isOfParty(event), 'event', index);
        this.events.set(index, event);
      }
    }
    const { size } = this.bundle;
    need(lines.length === size, 'events-missing', Math.min(lines.length, size));
    [this.tree, this.indexes] = [new Tree(this.leaves), [...this.events.keys()]];
    const { from, to } = this.request;
    let next = 0;
    for (const index of this.notAsked) {
      while (this.indexes[next] < index) next += 1;
      const isEarly = from !== null && !(times[next - 1] >= withoutZone(from));
      const isLate = next === times.length || (to !== null && times[next] > withoutZone(to));
      need(isEarly || isLate, 'event', index);
    }
  }

  /** Whether the event is of this log, and stream, id and time follow from those before. */
  isNext(index, { partnership, party, type, stream, stream_version: version, ...event }) {
    const own = this.bundle.partnership;
    if (partnership !== own || !`${stream}/`.startsWith(`${own}/`)) return false;
    if (!Object.hasOwn(RULES.kinds, type)) return false;
    if (party === OPERATOR && !RULES.own.includes(type)) return false;
    // Of a stream, only what is withheld may be missing.
    const hidden = index - this.events.size;
    const { last, already } = this.streams.get(stream) ?? { last: 0, already: 0 };
    this.streams.set(stream, { last: version, already: hidden });
    const [cause, { caused }] = [causeOf({ party, ...event }), this];
    // Events of one cause follow each other, so each that is withheld between takes a place.
    const gap = index - caused.at;
    const isSame = cause === caused.cause;
    let [place, end] = isSame ? [caused.place + gap, caused.place + gap] : [0, gap - 1];
    while (place <= end && idOf(cause, place) !== event.event_id) place += 1;
    this.caused = { cause, place, at: index };
    const isOrdered = this.times.length < 2 || this.times.at(-2) <= this.times.at(-1);
    return isOrdered && place <= end && last < version && version - last <= 1 + hidden - already;
  }

  /** Whether its party is of the log: the initiator and its partner, or the adopting two. */
  isOfParty({ type, party, data }) {
    if (this.parties.length === 0 && party !== OPERATOR) {
      const rows = Array.isArray(data.parties) ? data.parties.slice(0, 2) : [{ party }];
      this.parties = rows.filter(isObject).map((row) => textOf(row.party));
    }
    // A third party may be agreed that reports figures, and does nothing else.
    const isRight = [OPERATOR, ...this.parties].includes(party) || RULES.kinds[type] === 'figures';
    const partner = type === 'PartnerChosen' ? [textOf(data.candidate)] : [];
    this.parties = [...this.parties, ...partner].slice(0, 2);
    return isRight;
  }

  /** Signatures, roots and times of the chain of checkpoints (section 5). */
  checkCheckpoints() {
    let [behind, waiting] = [0, 0]; // the events shown before a checkpoint; those with a quorum
    const whats = ['events were recorded', 'checkpoints were signed'];
    const longest = whats.map((what) => ({ what, wait: 0 })); // the longest intervals
    this.notes.forEach((raw, line) => {
      this.phase = ['checkpoint-malformed', line];
      const note = parseNote('checkpoint', Buffer.from(raw));
      const [origin, number, root] = note.parts;
      const size = Number(number);
      need(origin === this.bundle.origin && this.signed <= size, ...this.phase);
      const time = this.checkSignatures(note, size);
      need(this.time <= time, 'checkpoint-signature', size);
      need(this.tree.isRoot(size, root), 'checkpoint-root', size);
      while (this.indexes[behind] < size) behind += 1;
      // Times never fall, so the events beside the end of the checkpoint speak for all others.
      const isLate = this.times[behind - 1] > instantOf(time + LIMITS.skew);
      need(!isLate, 'checkpoint-time', this.indexes[behind - 1]);
      const isEarly = this.times[behind] < instantOf(time - LIMITS.skew);
      need(!isEarly, 'checkpoint-time', this.indexes[behind]);
      [this.signed, this.time] = [size, time];
      const seen = this.policy.witnessed(this.cosigned, -1);
      if (seen === null) return;
      const first = waiting < behind ? this.times[waiting] : instantOf(time);
      const since = Date.parse(`${first.slice(0, 19)}Z`) / 1000;
      [seen - since, Math.abs(seen - time)].forEach((wait, at) => {
        if (wait > longest[at].wait) Object.assign(longest[at], { wait, size });
      });
      waiting = behind;
    });
    need(this.signed === this.bundle.size, 'checkpoint-malformed', this.bundle.size);
    for (const { what, wait, size } of longest) {
      const where = `witnesses are up to ${wait} s apart (the checkpoint of ${size} events)`;
      if (wait > LIMITS.skew) this.notChecked.push(`when ${what}: the log and ${where}`);
    }
  }

  /** Every signature that the policy names; notes the cosignatures, and gives the time. */
  checkSignatures(note, size) {
    const key = this.policy.key(note.parts[0], note);
    need(key !== undefined, 'checkpoint-signature', size);
    const own = timesBy(note, keyOf(key.name, 4, key.key));
    const times = [...this.policy.witnesses].map(([word, each]) => [word, timesBy(note, each)]);
    const isRight = own.length === 1 && ![...own, ...times.flatMap(([, each]) => each)].includes(0);
    need(isRight, 'checkpoint-signature', size);
    const cosigned = times.filter(([, each]) => each.length > 0);
    this.cosigned = new Map(cosigned.map(([word, each]) => [word, Math.max(...each)]));
    return own[0];
  }

  /** The parties' keys, and each event against the command that it names (section 7). */
  checkEvents() {
    let before = null; // the command of the event before
    for (const [index, event] of this.events) {
      this.phase = ['command-malformed', index];
      if (Object.hasOwn(RULES.keys, event.type)) this.takeKey(index, event);
      if (event.type === 'PersonErased') {
        const { person, commands } = event.data;
        need(Array.isArray(commands), 'command-malformed', index);
        this.erased.add(person);
        const erasure = [index, event.party, person];
        for (const gone of commands) if (!this.gone.has(gone)) this.gone.set(gone, erasure);
      }
      if (Object.hasOwn(event, 'signed')) this.checkSigned(index, event, before);
      else this.checkUnsigned(index, event);
      if (RULES.kinds[event.type] === 'claims') {
        const { payout = null, fact = null } = event.data;
        const claim = canonical([event.party, event.stream, payout, fact]);
        if (Object.hasOwn(event, 'signed')) this.answered.add(claim);
        else need(!this.answered.has(claim), 'command-missing', index);
      }
      if (PROPOSALS.has(event.type)) this.proposed.set(hex(canonical(event.data)), index);
      before = event.signed;
    }
    for (const [digest, { command, events }] of this.named) {
      if (command === null) this.checkErased(digest, events);
    }
    need([...this.commands.keys()].every((digest) => this.named.has(digest)), 'command-unused');
    const pinned = [...this.pins.parties.keys()];
    need(pinned.every((party) => this.keys.has(party)), 'key-unknown');
    // What is listed comes first, in the order of the log, then what is counted.
    const open = [...this.open].map(([what, events]) => {
      const indexes = what.endsWith(':') ? events.map((index) => ` #${index}`).join('') : '';
      const count = what.startsWith('#') ? '' : `${events.length} `;
      return `${count}${what}${indexes}${total(events.map((index) => this.lines[index]))}`;
    });
    this.notChecked.push(...open.filter((line) => line.startsWith('#')));
    this.notChecked.push(...open.filter((line) => !line.startsWith('#')));
  }

  /** Takes the key that an event adds, and ends those that it ends. */
  takeKey(index, { type, data, party: author, signed }) {
    const party = type === 'KeyRecovered' ? textOf(data.party) : author;
    if (type === 'SignaturesRequired') {
      need(Array.isArray(data.kinds), 'key-unknown', index);
      this.required.set(party, data.kinds);
      return;
    }
    if (type === 'KeyRecovered') {
      need(this.keys.has(party) && party !== author, 'key-unknown', index);
      need(signed !== undefined, 'command-missing', index);
      this.leave(`#${index} the new key of ${party}: ${author} agreed it in its place`, index);
    }
    if (!this.keys.has(party)) this.keys.set(party, new Map());
    const [own, member] = [this.keys.get(party), RULES.keys[type]];
    const named = member === null ? null : data[member];
    const ended = [...own].filter(([keyid, { until }]) => {
      return until === null && (type === 'KeyRecovered' || keyid === named);
    });
    need(member === null || ended.length === 1, 'key-unknown', index);
    for (const [, key] of ended) key.until = index;
    if (type === 'KeyRevoked') return;
    const text = textOf(data.key);
    const key = unbase64(text, 32);
    need(admitted(key), 'key-weak', index);
    const claim = `accord/key@v1\n${this.bundle.partnership}\n${party}\n${text}\n`;
    need(ed25519Verify(key, claim, unbase64(data.proof, 64)), 'key-proof', index);
    const keyid = hex(key).slice(0, 16);
    const isNew = [...this.keys.values()].every((keys) => !keys.has(keyid));
    const pinned = this.pins.parties.get(party);
    need(isNew && (own.size > 0 || (pinned ?? text) === text), 'key-unknown', index);
    if (own.size === 0 && pinned === undefined) {
      this.leave(`#${index} first key of ${party}: not pinned`, index);
    }
    const { delegated = null } = type === 'KeyRotated' ? ended[0][1] : data;
    need(delegated === null || Array.isArray(delegated), 'key-unknown', index);
    own.set(keyid, { key, since: index, until: null, delegated });
  }

  /** That a command that is not there was erased with a person, and that it was one command. */
  checkErased(digest, found) {
    const [events, [first]] = [found.map(([, event]) => event), found[0]];
    const [erasure, party, person] = this.gone.get(digest) ?? [-1, '', ''];
    const people = events.map(({ actor, data, type }) => {
      return [actor, ...peopleIn(type).map((name) => memberOf(data, name, null))];
    });
    const isOwn = party === events[0].party && matches('commitment', person);
    const isNamed = isOwn && canonical(people).includes(person);
    need(erasure > found.at(-1)[0] && isNamed, 'command-missing', first);
    const isYield = (rule) => events.every(({ type }) => mayYield(rule, type, events));
    const isOne = new Set(events.map(causeOf)).size === 1;
    need(isOne && Object.values(RULES.commands).some(isYield), 'command-yields', first);
    for (const [index, event] of found) {
      const isBinding = RULES.binding.includes(RULES.kinds[event.type]);
      const who = isBinding ? `#${index} ${event.type} by ${event.party}: its` : 'events whose';
      this.leave(`${who} command was erased with a person`, index);
    }
  }

  checkUnsigned(index, event) {
    const { type, party, source, data } = event;
    const kind = RULES.kinds[type];
    if (RULES.binding.includes(kind) || this.required.get(party)?.includes(kind)) {
      const parties = [...this.keys].filter(([name]) => name === party || kind === 'erases');
      const keys = parties.flatMap(([, own]) => [...own.values()]);
      const isBound = keys.some(({ since }) => since < index);
      const isSettled = RULES.statements.includes(type) && source === 'accord:settle';
      need(!isBound || isSettled, 'command-missing', index);
      this.leave(`#${index} ${type} by ${party}: not signed`, index);
    } else if (type === 'KeySentByOperator') {
      this.sent.add(data.keyid);
      this.leave(`#${index} a key of ${textOf(data.party)} that the operator sent`, index);
    } else if (type === 'ClaimConfirmed') {
      // Its amount is that of the fact, if it names the content of one.
      const fact = this.proposed.get(textOf(data.content)) ?? index;
      this.leave(`#${index} ${type} of ${textOf(data.fact)} by ${party}: not signed`, fact);
    } else {
      this.leave(`events that need no signature, and have none (${kind})`, index);
    }
  }

  checkSigned(index, event, before) {
    const digest = event.signed;
    if (!this.named.has(digest)) {
      const envelope = this.commands.get(digest);
      this.named.set(digest, { command: envelope ? parseCommand(envelope) : null, events: [] });
    }
    const { command, events } = this.named.get(digest);
    need(events.length === 0 || before === digest, 'command-replayed', index);
    events.push([index, event]);
    if (command === null) {
      // The command of a key is never erased: all other signatures rest on it.
      need(!Object.hasOwn(RULES.keys, event.type), 'command-missing', index);
    } else {
      this.checkCommand(index, event, command, events.length === 1);
      this.checkYield(index, event, command.payload, events.map(([, each]) => each));
    }
  }

  /** That its party signed the command for this event, and for no other. */
  checkCommand(index, event, { payload, keyid, message, signature }, isFirst) {
    const { party, signed: digest } = event;
    const sides = { bundle: this.bundle, event, payload, asked: payload.event };
    for (const [code, one, member, other, same] of RULES.same) {
      const values = [memberOf(sides[one], member), memberOf(sides[other], same)];
      need((values[0] ?? null) === (values[1] ?? null), code, index);
    }
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
    for (const use of [JSON.stringify([party, payload.nonce]), causeOf(event)]) {
      if (!this.used.has(use)) this.used.set(use, digest);
      need(this.used.get(use) === digest, 'command-replayed', index);
    }
    need(withoutZone(event.recorded_at) <= withoutZone(payload.expires), 'command-expired', index);
    if (payload.expected !== null && idOf(causeOf(event), 0) === event.event_id) {
      need(payload.expected === event.stream_version - 1, 'command-version', index);
    }
    if (payload.seen !== null) {
      const { size, root } = payload.seen;
      need(size <= index && this.tree.isRoot(size, root), 'command-seen', index);
    }
    const isActor = isAlike(event.actor, memberOf(payload.event, 'actor', ''), this.names);
    need(isActor, 'command-differs', index);
  }

  /** That the command yields the event, and how each of its members follows. */
  checkYield(index, event, payload, events) {
    const { type, data } = event;
    const ruleOf = (name) => memberOf(RULES.commands, textOf(name), { events: {} });
    const name = payload.type.replace(/^accord\./, '');
    let signed = memberOf(payload.event, 'data', {});
    need(isObject(signed), 'command-malformed', index);
    let [rule, isAct] = [ruleOf(name), name === 'ConfirmAct'];
    let accepted = rule.accepts ? this.accepted(index, signed, isAct) : {};
    if (isAct && type !== 'ActConfirmed') {
      if (accepted === undefined) return;
      // A second person does what the first one did, and accepts what that one accepted.
      rule = ruleOf(accepted.command);
      signed = isObject(accepted.data) ? accepted.data : {};
      accepted = this.events.get(this.proposed.get(textOf(signed.content)))?.data ?? {};
    }
    need(mayYield(rule, type, events), 'command-yields', index);
    const added = rule.events[type];
    if (type === 'SecondPersonAsked') signed = { command: name, data: signed };
    if (added === null) this.leave(`${type} not compared with what was signed:`, index);
    if (added === null || accepted === undefined) return;
    // A member that was signed or accepted, and is left out, has the value null.
    for (const member of [...new Set([...Object.keys(data), ...RULES.members[type]])].sort()) {
      const names = peopleIn(type).includes(member) ? this.names : null;
      const isSame = (meant) => isAlike(memberOf(data, member, null), meant[member], names);
      if (Object.hasOwn(signed, member)) {
        need(isSame(signed), 'command-differs', index);
      } else if (Object.hasOwn(accepted, member)) {
        need(isSame(accepted), 'command-content', index);
      } else {
        need(!Object.hasOwn(data, member) || added.includes(member), 'command-differs', index);
        const hasAmount = canonical(memberOf(data, member, null)).includes('"amount":');
        if (hasAmount) this.leave(`${type} with amounts that the decision adds:`, index);
      }
    }
  }

  /** The act, proposal or fact that is accepted; undefined if it may be withheld. */
  accepted(index, { content, figure }, isAct) {
    const found = this.events.get(this.proposed.get(textOf(content)));
    if (found === undefined) {
      const first = figure === undefined ? this.notAsked[0] : this.indexes.indexOf(index);
      need(first < index && matches('digest', content), 'command-content', index);
      this.leave('events that rest on what is withheld:', index);
      return undefined;
    }
    need(isAct === (found.type === 'SecondPersonAsked'), 'command-content', index);
    return found.data;
  }

  /** The log against what the user saw before and asks for (section 6). */
  checkAgainstUser() {
    const { policy, cosigned, bundle: { size } } = this;
    for (const { parts: [, number, root] } of this.seen) {
      need(Number(number) <= size, 'stale', Number(number));
      need(this.tree.isRoot(Number(number), root), 'fork', Number(number));
    }
    const seen = policy.witnessed(cosigned);
    need(seen !== null || policy.quorum === 'none', 'quorum', size);
    const witnessed = instantOf(seen ?? this.time);
    need(this.notBefore <= witnessed, 'stale', size);
    const reached = [instantOf(this.time), witnessed].sort()[1];
    for (const { parts: [, first, leaves, deadline] } of this.receipts) {
      const isDue = reached >= withoutZone(deadline);
      allOf('leaf (.*)\n', leaves).forEach(([, leaf], at) => {
        const index = Number(first) + at;
        const isRight = index < size ? this.leaves[index].toString('base64') === leaf : !isDue;
        need(isRight, 'receipt', index);
      });
    }
  }

  /** That each name and each file has the digest by which an event shown names it. */
  checkPeopleAndFiles() {
    const shown = this.files.get('data/events.jsonl').latin1Slice();
    const found = (pattern) => new Set(allOf(pattern, shown).map(([, one]) => one));
    const untold = found(`"(${RULES.patterns.commitment})"`);
    for (const { commitment, name, party, salt } of this.people) {
      const text = ['accord/person@v1', this.bundle.partnership, party, salt, name].join('\n');
      need(commitment === `person:${hex(text)}` && untold.delete(commitment), 'person');
    }
    const lacking = found(`"sha256":"(${RULES.patterns.digest})"`);
    for (const [name, bytes] of this.files) {
      const digest = hex(bytes);
      const isRight = name === `data/files/${digest}` && lacking.delete(digest);
      need(isRight || !name.startsWith('data/files/'), 'file');
    }
    const erased = [...untold].filter((who) => this.erased.has(who)).length;
    for (const [count, what] of [
      [erased, 'people whose names were erased'],
      [untold.size - erased, 'people whose names are not in the bundle'],
      [lacking.size, 'files that events name are not in the bundle'],
    ]) {
      if (count > 0) this.notChecked.push(`${count} ${what}`);
    }
  }

  /** That the last event shown is this export, with the digest of all that it shows. */
  checkCustody() {
    const last = this.indexes.at(-1);
    const { type, party, data } = this.events.get(last);
    const whole = this.files.get('data/events.jsonl');
    const before = whole.subarray(0, this.lines[last].byteOffset - whole.byteOffset);
    const files = new Map(this.files).set('data/events.jsonl', before);
    const bound = [...files.keys()].filter((name) => matches('bound', name));
    const { reason, for: receiver } = this.request;
    const asked = ['BundleExported', OPERATOR, hex(manifest(files, bound)), receiver, reason];
    const here = [type, party, data.files, data.party ?? null, data.reason];
    need(here.every((each, at) => each === asked[at]), 'custody');
    this.notChecked.push(...RULES.never);
  }
}

/** Whether what was recorded was meant; given names, a commitment stands for one of them. */
function isAlike(recorded, meant, names) {
  if (isString(recorded)) {
    const isPerson = names !== null && isString(meant) && matches('commitment', recorded);
    if (recorded === meant || !isPerson) return recorded === meant;
    if (!names.has(recorded)) names.set(recorded, meant);
    return names.get(recorded) === meant;
  }
  const isSame = (is) => is(recorded) && is(meant);
  if (!isSame(isObject) && !isSame(Array.isArray)) return recorded === meant;
  const members = Object.keys(recorded);
  return members.length === Object.keys(meant).length && members.every((name) => {
    return Object.hasOwn(meant, name) && isAlike(recorded[name], meant[name], names);
  });
}

/** The sums of the amounts in these lines, by member, currency and sign, as text. */
function total(lines) {
  const [sums, text] = [new Map(), Buffer.concat(lines).latin1Slice()];
  let odd = 0;
  for (const [, name, sign, amount, currency] of allOf(RULES.patterns.money, text)) {
    // One sum of both signs would hide what cancels out; one of limits, what is owed.
    const key = [name ? `${name.replaceAll('_', ' ')} ` : '', currency, sign].join('\n');
    const [whole, part = ''] = (amount ?? '').split('.');
    const { units = 0n, places = 0 } = sums.get(key) ?? {};
    const more = { units: units + BigInt(whole + part.padEnd(30, '0')) };
    if (amount === undefined) odd += 1;
    else sums.set(key, { ...more, places: Math.max(places, part.length) });
  }
  const texts = [...sums.keys()].sort().map((key) => {
    const [{ units, places }, [name, currency, sign]] = [sums.get(key), key.split('\n')];
    const [, whole, part] = /^(.+)(.{30})$/.exec(String(units).padStart(31, '0'));
    const number = places > 0 ? `${whole}.${part.slice(0, places)}` : whole;
    return `, ${name}${sign}${number} ${currency}`;
  });
  return texts.join('') + (odd > 0 ? `, ${odd} amounts not understood` : '');
}

// --- Section 10: what a verifier says ---
const VERDICTS = { 'RECORD VERIFIED': 0, 'CONSISTENT, NOT PINNED': 4, FAULT: 3 };

/** What a verifier says of the bytes of a bundle: the object that `--json` prints. */
export function verify(zip, given) {
  const verifier = new Verifier(given);
  let [code, index] = [null, null];
  try {
    verifier.verify(zip);
  } catch (error) {
    if (error instanceof Misuse) throw error;
    // No input makes a verifier crash.
    [code, index] = error instanceof Fault ? error.reason : verifier.phase;
  }
  const { asked, keys, pins } = verifier;
  const isPinned = asked !== null && keys.size > 0 && keys.size === pins.parties.size;
  const verdict = isPinned ? 'RECORD VERIFIED' : 'CONSISTENT, NOT PINNED';
  return {
    verdict: code === null ? verdict : 'FAULT',
    code,
    index,
    detail: RULES.words[code ?? verdict],
    origin: verifier.bundle.origin ?? null,
    size: verifier.bundle.size ?? null,
    not_checked: verifier.notChecked,
  };
}

/** What a verifier prints for people. */
export function asText({ verdict, code, index, detail, origin, size, not_checked: notChecked }) {
  const where = code === null ? '' : ` ${code}${index === null ? '' : ` at ${index}`}`;
  const lines = [`${verdict}${where}`];
  if (origin !== null) lines.push(`${size} events of ${origin}`);
  lines.push(detail, 'Not checked:', ...notChecked.map((line) => `  ${line}`));
  // What a bundle says of itself shall not steer the terminal that it is shown on.
  return lines.map((line) => `${line.replace(/[^ -~]/gu, '?')}\n`).join('');
}

function main() {
  const text = { type: 'string' };
  const several = { ...text, multiple: true };
  const files = { policy: text, pins: text, seen: several, receipt: several };
  const options = { ...files, 'not-before': text, json: { type: 'boolean' } };
  try {
    const { values, positionals: [path, ...more] } = parseArgs({ options, allowPositionals: true });
    if (path === undefined || more.length > 0) throw new Misuse('give one FILE.zip');
    const result = verify(contents(path), values);
    process.stdout.write(values.json ? `${canonical(result)}\n` : asText(result));
    process.exitCode = VERDICTS[result.verdict];
  } catch (error) {
    if (!(error instanceof Misuse || error.code?.startsWith('ERR_PARSE_ARGS'))) throw error;
    process.stderr.write(`verify: ${error.message}\n`);
    process.exitCode = 2;
  }
}

const script = process.argv[1] ?? '';
if (existsSync(script) && realpathSync(script) === import.meta.filename) main();
