#!/usr/bin/env node
/**
 * Verifies an evidence bundle of a partnership's log: offline, with Node 20 and nothing else.
 *
 * It is written from the page `FORMAT.md` alone, which travels in every bundle beside it, and the
 * sections named below are that page's. The operator who made the bundle is not trusted: this
 * checks the record against the policy of whoever runs it, and says nothing of what it means.
 *
 *     node verify.mjs FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
 *                              [--not-before MOMENT] [--json]
 *
 * Exit code 0: verified. 3: a fault. 2: called wrongly, or the user's own files cannot be read.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

// ---------------------------------------------------------------------------------------------
// Verdicts
// ---------------------------------------------------------------------------------------------

/** The bundle does not hold: the code and the index that section 12 has a verifier print. */
class Fault extends Error {
  constructor(code, index, detail) {
    super(detail);
    this.code = code;
    this.index = index;
  }
}

/** The user's call or the user's own files are not understood: exit code 2, no verdict. */
class UserError extends Error {}

/** A text breaks its form. Whoever asked for the text knows which fault that is. */
class Refused extends Error {}

/**
 * Runs a check, and makes a fault of whatever it trips over (section 12: no input makes a verifier
 * crash; what it cannot understand is a fault of the nearest code).
 */
function within(code, index, check) {
  try {
    return check();
  } catch (error) {
    if (error instanceof Fault || error instanceof UserError) throw error;
    throw new Fault(code, index, explain(error));
  }
}

/** As `within`, for what the user gave: it is no fault of the bundle. */
function withinUserFile(name, read) {
  try {
    return read();
  } catch (error) {
    throw new UserError(`${name}: ${explain(error)}`);
  }
}

function explain(error) {
  return error instanceof Refused ? error.message : 'It cannot be understood.';
}

function refuseUnless(condition, message) {
  if (!condition) throw new Refused(message);
}

function faultUnless(condition, code, index, detail) {
  if (!condition) throw new Fault(code, index, detail);
}

/** A text of the bundle's in a sentence: short, and without what could steer a terminal. */
function quote(text) {
  const short = String(text).slice(0, 80);
  return JSON.stringify(short).replace(/[^\x20-\x7e]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

// ---------------------------------------------------------------------------------------------
// Bytes, hashes, moments (section 2)
// ---------------------------------------------------------------------------------------------

function sha256(...pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

const sha256Hex = (...pieces) => sha256(...pieces).toString('hex');

/** The text of bytes that are UTF-8 without a byte order mark. */
function utf8(bytes) {
  refuseUnless(isUtf8(bytes), 'It is not UTF-8.');
  const text = bytes.toString('utf8');
  refuseUnless(!text.startsWith('\ufeff'), 'It begins with a byte order mark.');
  return text;
}

/** The bytes of a base64 text, or null. Only the one form that encoding gives back is taken. */
function fromBase64(text, length = null) {
  if (typeof text !== 'string') return null;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return null;
  return length === null || bytes.length === length ? bytes : null;
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{6}))?Z$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days from 1970-01-01 to a date of the Gregorian calendar, or null if there is no such date. */
function dayNumber(year, month, day) {
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > MONTH_DAYS[month - 1] + (leap && month === 2 ? 1 : 0)) return null;
  const past = year - 1;
  let days = past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
  for (let before = 1; before < month; before += 1) days += MONTH_DAYS[before - 1];
  return days + (leap && month > 2 ? 1 : 0) + day - 719163;
}

/** Microseconds since 1970 of a moment, or null if the text is none. Never a leap second. */
function moment(text) {
  const match = typeof text === 'string' ? MOMENT.exec(text) : null;
  if (match === null) return null;
  const days = dayNumber(Number(match[1]), Number(match[2]), Number(match[3]));
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  if (days === null || hour > 23 || minute > 59 || second > 59) return null;
  const seconds = days * 86400 + hour * 3600 + minute * 60 + second;
  return BigInt(seconds) * 1000000n + BigInt(match[7] ?? '0');
}

// ---------------------------------------------------------------------------------------------
// JSON (section 2)
// ---------------------------------------------------------------------------------------------

const DEEPEST = 64;
const LONGEST_LINE = 8 * 1024 ** 2;
const ASCII = /^[\x00-\x7f]*$/;

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** Puts the canonical form (RFC 8785) of a value; refuses one that section 2 does not admit. */
function putCanonical(value, put, depth = 1) {
  if (typeof value === 'string') {
    refuseUnless(value.isWellFormed(), 'A string has a lone surrogate.');
    return put(JSON.stringify(value));
  }
  if (typeof value === 'number') {
    const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0);
    refuseUnless(isWhole, 'A number is not a whole number within the limits.');
  }
  if (value === null || typeof value !== 'object') return put(String(value));
  refuseUnless(depth <= DEEPEST, 'It has too many levels.');
  let gap = '';
  if (Array.isArray(value)) {
    put('[');
    for (const item of value) {
      put(gap);
      putCanonical(item, put, depth + 1);
      gap = ',';
    }
    return put(']');
  }
  put('{');
  for (const key of Object.keys(value).sort()) {
    refuseUnless(ASCII.test(key), 'A key has a character beyond ASCII.');
    put(`${gap}${JSON.stringify(key)}:`);
    putCanonical(value[key], put, depth + 1);
    gap = ',';
  }
  return put('}');
}

export function canonical(value) {
  let text = '';
  putCanonical(value, (piece) => {
    text += piece;
  });
  return text;
}

/** The value of a text that is its canonical form, and so breaks no other rule of section 2. */
export function canonicalJson(bytes) {
  const text = utf8(bytes);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused('It is not JSON.');
  }
  // A key that stands twice is not given back, nor another order, space, number or escape.
  let at = 0;
  putCanonical(value, (piece) => {
    refuseUnless(text.startsWith(piece, at), 'It is not in canonical form.');
    at += piece.length;
  });
  refuseUnless(at === text.length, 'It is not in canonical form.');
  return value;
}

/** Where each line starts, where its newline is, and whether it has one. */
function* lineBounds(bytes) {
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    yield { start, end, complete: newline !== -1 };
    start = end + 1;
  }
}

/** The object of a line of a `.jsonl` file. */
function lineObject(bytes, { start, end, complete }) {
  refuseUnless(complete, 'The last line has no newline behind it.');
  refuseUnless(end - start <= LONGEST_LINE, 'A line is too long.');
  const value = canonicalJson(bytes.subarray(start, end));
  refuseUnless(isObject(value), 'A line is no object.');
  return value;
}

/** Whether two JSON values are the same, or alike in all that is neither array nor object. */
function same(one, other, isAlike = (value, stated) => value === stated) {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => same(item, other[at], isAlike));
  }
  if (!isObject(one) || !isObject(other)) return isAlike(one, other);
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => {
    return Object.hasOwn(other, name) && same(one[name], other[name], isAlike);
  });
}

/** A text that only these values give, as a key of a map. */
const keyOf = (...values) => JSON.stringify(values);

// ---------------------------------------------------------------------------------------------
// Shapes: members and types of what JSON holds
// ---------------------------------------------------------------------------------------------

const isString = (value) => typeof value === 'string';
const isBoolean = (value) => typeof value === 'boolean';
const isIndex = (value) => Number.isSafeInteger(value) && value >= 0;
const isPositive = (value) => isIndex(value) && value > 0;
const isMoment = (value) => moment(value) !== null;
const isBase64 = (value) => fromBase64(value) !== null;
const isHash = (value) => fromBase64(value, 32) !== null;
const isHex64 = (value) => isString(value) && /^[0-9a-f]{64}$/.test(value);
const isSalt = (value) => isString(value) && /^[0-9a-f]{32}$/.test(value);
const isCommitment = (value) => isString(value) && /^person:[0-9a-f]{64}$/.test(value);
const isOneOf = (...values) => (value) => values.includes(value);
const orNull = (check) => (value) => value === null || check(value);
const arrayOf = (check) => (value) => Array.isArray(value) && value.every((item) => check(item));
/** A check that a value is an object of exactly these members, the optional ones perhaps. */
function shape(required, optional = {}) {
  const checks = new Map(Object.entries({ ...required, ...optional }));
  const names = Object.keys(required);
  return (value) => {
    if (!isObject(value)) return false;
    const known = Object.keys(value).every((name) => checks.get(name)?.(value[name]) === true);
    return known && names.every((name) => Object.hasOwn(value, name));
  };
}

const eitherOf = (one, other) => (value) => one(value) || other(value);

/** Section 3. */
const isBundle = shape({
  format: isOneOf('accord-bundle/1'),
  origin: isString,
  partnership: isString,
  size: isIndex,
  exported_at: isMoment,
  exported_by: isString,
  reason: isString,
  for: orNull(isString),
  custody: orNull(isIndex),
  about: shape({
    statement: orNull(isString),
    alert: orNull(isString),
    from: orNull(isMoment),
    to: orNull(isMoment),
  }),
  simulated: isBoolean,
});

/** Section 4. */
const isWithheld = shape({ withheld: isHex64, why: isOneOf('private', 'range') });
const isEvent = shape(
  {
    actor: isString,
    data: isObject,
    event_id: isString,
    occurred_at: isMoment,
    partnership: isString,
    party: isString,
    recorded_at: isMoment,
    salt: isSalt,
    schema_version: isPositive,
    source: isString,
    source_id: isString,
    stream: isString,
    stream_version: isPositive,
    type: isString,
  },
  { causation_id: isString, correlation_id: isString, signed: isHex64 },
);

/** Section 8. What is in the envelope is `command-malformed`, and checked where an event asks. */
const isCommandLine = eitherOf(
  shape({ digest: isHex64, envelope: isObject }),
  shape({ digest: isHex64, erased: isOneOf(true) }),
);
const isEnvelope = shape({
  payload: isBase64,
  payloadType: isOneOf('application/vnd.accord.command+json'),
  signatures: arrayOf(shape({ keyid: isString, sig: isBase64 })),
});
const isNonce = (value) => isString(value) && /^[\x21-\x7e]{8,128}$/.test(value);
const isPayload = shape({
  accord: isOneOf('command/v1'),
  origin: isString,
  partnership: isString,
  party: isString,
  type: (value) => isString(value) && /^accord\../s.test(value),
  expected: orNull(Number.isSafeInteger),
  nonce: isNonce,
  expires: isMoment,
  seen: orNull(shape({ root: isHash, size: isIndex })),
  event: isObject,
});

/** Section 10. */
const isPersonLine = eitherOf(
  shape({ commitment: isCommitment, name: isString, salt: isBase64 }),
  shape({ commitment: isCommitment, erased: isIndex }),
);

// ---------------------------------------------------------------------------------------------
// Ed25519 (section 9): RFC 8032, strictly
// ---------------------------------------------------------------------------------------------

const PRIME = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const field = (value) => ((value % PRIME) + PRIME) % PRIME;

function power(base, exponent) {
  let result = 1n;
  for (let square = field(base); exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

const CURVE_D = field(-121665n * power(121666n, PRIME - 2n));

const littleEndian = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** The y that an encoded point has, its sign bit aside. */
const encodedY = (bytes) => littleEndian(bytes) & (2n ** 255n - 1n);

/** The y of the eight points of small order: the identity, and those of order 2, 4 and 8. */
const SMALL_ORDER = new Set([
  1n,
  PRIME - 1n,
  0n,
  encodedY(Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex')),
  encodedY(Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex')),
]);

/** Whether 32 bytes are a point with y below the prime, and not one of small order. */
function isStrongPoint(bytes) {
  const y = encodedY(bytes);
  if (y >= PRIME || SMALL_ORDER.has(y)) return false;
  // There is an x where (y^2 - 1) / (d y^2 + 1) is a square (RFC 8032 section 5.1.3), which it is
  // just where the product is one. It is 0 only for points of small order, so the sign is free.
  const product = (y * y - 1n) * (CURVE_D * y * y + 1n);
  return power(product, (PRIME - 1n) / 2n) === 1n;
}

/** Admitting a key takes big numbers, so each key is looked at once. */
const keyObjects = new Map();

const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The library's object of an admitted key, or null. */
function keyObject(publicKey) {
  const name = publicKey.toString('hex');
  if (!keyObjects.has(name)) {
    const isAdmitted = publicKey.length === 32 && isStrongPoint(publicKey);
    const der = { key: Buffer.concat([DER_PREFIX, publicKey]), format: 'der', type: 'spki' };
    keyObjects.set(name, isAdmitted ? createPublicKey(der) : null);
  }
  return keyObjects.get(name);
}

/** Whether section 9 admits a public key of 32 bytes. */
export function admitted(publicKey) {
  return keyObject(Buffer.from(publicKey)) !== null;
}

/** Whether a signature is right under an admitted key. */
export function ed25519Verify(publicKey, message, signature) {
  const key = keyObject(Buffer.from(publicKey));
  const bytes = Buffer.from(signature);
  if (key === null || bytes.length !== 64) return false;
  // The library compares R with the bytes that it computes, so only a canonical R can be equal;
  // both limits are checked here all the same, and do not hang on its version.
  const [point, scalar] = [bytes.subarray(0, 32), bytes.subarray(32)];
  if (encodedY(point) >= PRIME || littleEndian(scalar) >= ORDER) return false;
  return verifySignature(null, Buffer.from(message), key, bytes);
}

// ---------------------------------------------------------------------------------------------
// The Merkle tree (section 5)
// ---------------------------------------------------------------------------------------------

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const leafHash = (bytes) => sha256(LEAF, bytes);
const nodeHash = (left, right) => sha256(NODE, left, right);
const half = (number) => Math.floor(number / 2);
const isOdd = (number) => number % 2 === 1;

/**
 * The roots (base64) of the first so many leaves, for each of the sizes asked for.
 *
 * One pass, whatever the number of sizes: a stack holds the roots of the complete subtrees, as the
 * ones in the binary form of the number of leaves, and a root is folded from that.
 */
function rootsOf(leaves, count, sizes) {
  const roots = new Map();
  const stack = [];
  for (let size = 0; size <= count; size += 1) {
    if (sizes.has(size)) roots.set(size, fold(stack).toString('base64'));
    if (size === count) break;
    let node = leaves.subarray(32 * size, 32 * size + 32);
    for (let rest = size; isOdd(rest); rest = half(rest)) node = nodeHash(stack.pop(), node);
    stack.push(node);
  }
  return roots;
}

function fold(stack) {
  if (stack.length === 0) return sha256();
  return stack.reduceRight((right, left) => nodeHash(left, right));
}

/** Shifts both numbers until the first is odd or 0 (RFC 9162 sections 2.1.3.2 and 2.1.4.2). */
function shiftToOdd(first, second) {
  while (first > 0 && !isOdd(first)) [first, second] = [half(first), half(second)];
  return [first, second];
}

const areHashes = (hashes) => hashes.every((hash) => hash.length === 32);

/** Whether a proof of inclusion (RFC 9162 section 2.1.3.2) leads from a leaf hash to a root. */
export function verifyInclusion(leaf, index, size, proof, root) {
  if (!isIndex(index) || !isIndex(size) || index >= size) return false;
  if (!areHashes([leaf, root, ...proof])) return false;
  let [first, second, hash] = [index, size - 1, Buffer.from(leaf)];
  for (const sibling of proof) {
    if (second === 0) return false;
    if (isOdd(first) || first === second) {
      hash = nodeHash(sibling, hash);
      [first, second] = shiftToOdd(first, second);
    } else {
      hash = nodeHash(hash, sibling);
    }
    [first, second] = [half(first), half(second)];
  }
  return second === 0 && hash.equals(root);
}

/** Whether a proof of consistency (RFC 9162 section 2.1.4.2) leads from one root to another. */
export function verifyConsistency(size1, size2, proof, root1, root2) {
  if (!isPositive(size1) || !isIndex(size2) || size1 > size2) return false;
  if (size1 === size2) return proof.length === 0 && Buffer.from(root1).equals(root2);
  if (proof.length === 0 || !areHashes([root1, root2, ...proof])) return false;
  let [first, second] = [size1 - 1, size2 - 1];
  while (isOdd(first)) [first, second] = [half(first), half(second)];
  // A size that is a power of two shifts down to 0: the old root itself is where the proof begins.
  const [start, ...path] = first === 0 ? [root1, ...proof] : proof;
  let [old, now] = [Buffer.from(start), Buffer.from(start)];
  for (const sibling of path) {
    if (second === 0) return false;
    if (isOdd(first) || first === second) {
      [old, now] = [nodeHash(sibling, old), nodeHash(sibling, now)];
      [first, second] = shiftToOdd(first, second);
    } else {
      now = nodeHash(now, sibling);
    }
    [first, second] = [half(first), half(second)];
  }
  return second === 0 && old.equals(root1) && now.equals(root2);
}

// ---------------------------------------------------------------------------------------------
// The container (section 1)
// ---------------------------------------------------------------------------------------------

const MOST_ENTRIES = 10000;
const MOST_BYTES = 1024 ** 3;

/** The most that Node reads at once, and far more than what is within the limits takes packed. */
const LARGEST_ZIP = 2 ** 31 - 1;

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const DESCRIPTOR_BEHIND = 8;

/** Flags that say nothing of the content: the level of deflate, a descriptor behind, UTF-8. */
const KNOWN_FLAGS = 0x6 | DESCRIPTOR_BEHIND | 0x800;

/** Extra fields that change what another field says: ZIP64, a second name, encryption. */
const REFUSED_EXTRAS = new Set([0x0001, 0x7075, 0x9901]);

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = -1;
  for (let at = 0; at < bytes.length; at += 1) {
    value = CRC_TABLE[(value ^ bytes[at]) & 0xff] ^ (value >>> 8);
  }
  return (value ^ -1) >>> 0;
}

/** The files of a ZIP by name. Every byte of it belongs to one entry or to the directory. */
function readZip(zip) {
  refuseUnless(zip.length <= LARGEST_ZIP, 'The file is too large.');
  const end = zip.length - 22;
  refuseUnless(end >= 0 && zip.readUInt32LE(end) === 0x06054b50, 'The file is no ZIP, or cut off.');
  const count = zip.readUInt16LE(end + 10);
  const directory = zip.readUInt32LE(end + 16);
  const disks = zip.readUInt32LE(end + 4) === 0 && zip.readUInt16LE(end + 8) === count;
  refuseUnless(disks && zip.readUInt16LE(end + 20) === 0, 'The end of the ZIP is not as expected.');
  refuseUnless(directory + zip.readUInt32LE(end + 12) === end, 'The ZIP has a gap at its end.');
  refuseUnless(count <= MOST_ENTRIES, 'The ZIP has too many entries.');
  const entries = readDirectory(zip, directory, end, count);
  checkExtents(zip, entries, directory);
  return unpackAll(zip, entries);
}

function readDirectory(zip, start, end, count) {
  const entries = [];
  let at = start;
  for (let number = 0; number < count; number += 1) {
    refuseUnless(at + 46 <= end, 'The directory of the ZIP is cut off.');
    refuseUnless(zip.readUInt32LE(at) === 0x02014b50, 'The directory of the ZIP is broken.');
    const [nameLength, extraLength] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30)];
    const next = at + 46 + nameLength + extraLength + zip.readUInt16LE(at + 32);
    refuseUnless(next <= end, 'The directory of the ZIP is cut off.');
    refuseUnless(zip.readUInt16LE(at + 34) === 0, 'The ZIP has more than one part.');
    const extraAt = at + 46 + nameLength;
    checkExtras(zip.subarray(extraAt, extraAt + extraLength));
    entries.push({
      flags: zip.readUInt16LE(at + 8),
      method: zip.readUInt16LE(at + 10),
      crc: zip.readUInt32LE(at + 16),
      packed: zip.readUInt32LE(at + 20),
      size: zip.readUInt32LE(at + 24),
      offset: zip.readUInt32LE(at + 42),
      name: zip.subarray(at + 46, at + 46 + nameLength),
    });
    at = next;
  }
  refuseUnless(at === end, 'The directory of the ZIP has more than its entries.');
  return entries;
}

function checkExtras(extra) {
  let at = 0;
  while (at + 4 <= extra.length) {
    const isRefused = REFUSED_EXTRAS.has(extra.readUInt16LE(at));
    refuseUnless(!isRefused, 'An entry has an extra field that changes others.');
    at += 4 + extra.readUInt16LE(at + 2);
  }
  refuseUnless(at === extra.length, 'An extra field of an entry is broken.');
}

/** Entries follow each other from the first byte to the directory: none overlaps, no gap hides. */
function checkExtents(zip, entries, directory) {
  let at = 0;
  let total = 0;
  for (const entry of [...entries].sort((one, other) => one.offset - other.offset)) {
    refuseUnless(entry.offset === at, 'Entries of the ZIP overlap or leave a gap.');
    at = readLocalHeader(zip, entry, directory);
    total += entry.size;
  }
  refuseUnless(at === directory, 'Entries of the ZIP overlap or leave a gap.');
  refuseUnless(total <= MOST_BYTES, 'The ZIP unpacks to too much.');
}

/** Checks an entry's own header against the directory, and gives where the entry ends. */
function readLocalHeader(zip, entry, limit) {
  const { offset, flags, method, name } = entry;
  refuseUnless(!(flags & ENCRYPTED), 'An entry is encrypted.');
  refuseUnless((flags & ~KNOWN_FLAGS) === 0, 'An entry has unknown flags.');
  refuseUnless(method === STORED || method === DEFLATED, 'An entry has an unknown method.');
  refuseUnless(method === DEFLATED || entry.packed === entry.size, 'A stored entry is packed.');
  refuseUnless(offset + 30 <= limit, 'An entry is cut off.');
  refuseUnless(zip.readUInt32LE(offset) === 0x04034b50, 'An entry has no header.');
  const agrees =
    zip.readUInt16LE(offset + 6) === flags &&
    zip.readUInt16LE(offset + 8) === method &&
    zip.readUInt16LE(offset + 26) === name.length &&
    localSizesAgree(zip, entry);
  refuseUnless(agrees, 'The header of an entry differs from the directory.');
  const extraAt = offset + 30 + name.length;
  const start = extraAt + zip.readUInt16LE(offset + 28);
  const end = start + entry.packed;
  refuseUnless(end <= limit, 'An entry is cut off.');
  refuseUnless(zip.subarray(offset + 30, extraAt).equals(name), 'An entry has two names.');
  checkExtras(zip.subarray(extraAt, start));
  entry.data = zip.subarray(start, end);
  return flags & DESCRIPTOR_BEHIND ? readDescriptor(zip, entry, end, limit) : end;
}

const sizesAt = (zip, at) => [0, 4, 8].map((offset) => zip.readUInt32LE(at + offset));

function localSizesAgree(zip, { flags, offset, crc, packed, size }) {
  const local = sizesAt(zip, offset + 14);
  const later = flags & DESCRIPTOR_BEHIND && local.every((value) => value === 0);
  return later || same(local, [crc, packed, size]);
}

function readDescriptor(zip, { crc, packed, size }, at, limit) {
  const start = zip.readUInt32LE(at) === 0x08074b50 ? at + 4 : at;
  refuseUnless(start + 12 <= limit, 'A descriptor is cut off.');
  refuseUnless(same(sizesAt(zip, start), [crc, packed, size]), 'A descriptor differs.');
  return start + 12;
}

function unpackAll(zip, entries) {
  const files = new Map();
  for (const entry of entries) {
    const name = utf8(entry.name);
    checkName(name);
    refuseUnless(!files.has(name), `The entry ${quote(name)} stands twice.`);
    files.set(name, unpack(entry));
  }
  return files;
}

/** Names that could lead out of a folder (section 1). */
function checkName(name) {
  const parts = name.split('/');
  const isSafe = !name.includes('\\') && !parts.includes('..') && !parts.includes('');
  refuseUnless(isSafe, `The name ${quote(name)} is not allowed.`);
}

function unpack({ method, data, size, crc }) {
  let bytes = data;
  if (method === DEFLATED) {
    const unpacked = inflateRawSync(data, {
      maxOutputLength: Math.max(size, 1),
      chunkSize: Math.min(Math.max(size, 1024), 2 ** 20),
      info: true,
    });
    bytes = unpacked.buffer;
    refuseUnless(unpacked.engine.bytesWritten === data.length, 'An entry has bytes to spare.');
  }
  refuseUnless(bytes.length === size && crc32(bytes) === crc, 'An entry is damaged.');
  return bytes;
}

const REQUIRED_FILES = `bagit.txt bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt
  data/bundle.json data/events.jsonl data/hashes.txt data/checkpoints.jsonl data/commands.jsonl
  data/people.jsonl data/rejected.jsonl data/policy.txt data/FORMAT.md data/verify.py
  data/verify.mjs`.split(/\s+/);
const NUMBER = '(0|[1-9]\\d{0,15})';
const OPTIONAL_FILES = [
  new RegExp(`^data/proofs/${NUMBER}\\.tlog-proof$`),
  new RegExp(`^data/timestamps/${NUMBER}\\.tsr$`),
  /^data\/schemas\/[A-Za-z0-9]+\.json$/,
];

/** Section 12, step 1. */
function openContainer(run) {
  within('bag', null, () => {
    run.files = readZip(run.zip);
    checkFiles(run.files);
    checkBag(run.files);
  });
  run.checked.push(`container: ${run.files.size} files, each with the hash of the manifests`);
}

function checkFiles(files) {
  for (const name of REQUIRED_FILES) refuseUnless(files.has(name), `The file ${name} is missing.`);
  const known = new Set(REQUIRED_FILES);
  for (const name of files.keys()) {
    const isKnown = known.has(name) || OPTIONAL_FILES.some((pattern) => pattern.test(name));
    refuseUnless(isKnown, `The file ${quote(name)} does not belong in a bundle.`);
  }
}

const BAGIT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';
const TAG_FILES = ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt'];

function checkBag(files) {
  const payload = [...files.keys()].filter((name) => name.startsWith('data/'));
  refuseUnless(files.get('bagit.txt').equals(Buffer.from(BAGIT)), 'bagit.txt is another.');
  checkOxum(files, payload);
  checkManifest(files, 'manifest-sha256.txt', payload);
  checkManifest(files, 'tagmanifest-sha256.txt', TAG_FILES);
}

function checkOxum(files, payload) {
  const bytes = payload.reduce((sum, name) => sum + files.get(name).length, 0);
  const lines = textLines(files.get('bag-info.txt'), 'bag-info.txt');
  const isLabelled = (line) => /^[A-Za-z-]+: [^\x00-\x1f\x7f]+$/.test(line);
  refuseUnless(lines.every(isLabelled), 'bag-info.txt is not as expected.');
  const oxums = lines.filter((line) => line.toLowerCase().startsWith('payload-oxum:'));
  const isRight = oxums.length === 1 && oxums[0] === `Payload-Oxum: ${bytes}.${payload.length}`;
  refuseUnless(isRight, 'The Payload-Oxum of bag-info.txt is not that of the files.');
}

function checkManifest(files, manifest, names) {
  const awaited = new Set(names);
  for (const line of textLines(files.get(manifest), manifest)) {
    const match = /^([0-9a-f]{64}) {2}(.+)$/.exec(line);
    refuseUnless(match !== null && awaited.delete(match[2]), `${manifest} has a line too many.`);
    const isRight = sha256Hex(files.get(match[2])) === match[1];
    refuseUnless(isRight, `The file ${quote(match[2])} has another hash than ${manifest} says.`);
  }
  refuseUnless(awaited.size === 0, `${manifest} does not name every file.`);
}

/** The lines of a short file of text, each with its newline. */
function textLines(bytes, name) {
  refuseUnless(bytes.length <= LONGEST_LINE, `${name} is too long.`);
  const lines = utf8(bytes).split('\n');
  refuseUnless(lines.pop() === '', `The last line of ${name} has no newline behind it.`);
  return lines;
}

// ---------------------------------------------------------------------------------------------
// The JSON files (section 12, step 2)
// ---------------------------------------------------------------------------------------------

function readJsonFiles(run) {
  const { files } = run;
  run.bundle = readWholeFile(files, 'bundle.json', isBundle);
  const ending = `/${run.bundle.partnership}`;
  const isOrigin = run.bundle.partnership !== '' && run.bundle.origin.endsWith(ending);
  faultUnless(isOrigin, 'malformed', null, 'The origin does not end in the partnership.');
  checkLines(files, 'checkpoints.jsonl', shape({ consistency: arrayOf(isHash), note: isString }));
  run.sizes = new Set();
  checkSortedLines(files, 'commands.jsonl', isCommandLine, 'digest', (line) => {
    const size = seenSize(line);
    if (size <= run.bundle.size) run.sizes.add(size);
  });
  checkSortedLines(files, 'people.jsonl', isPersonLine, 'commitment');
  checkLines(files, 'rejected.jsonl', isObject);
  run.checked.push('the form of every JSON file');
}

/** The value of a `.json` file: canonical, with a newline behind it, of the shape asked for. */
function readWholeFile(files, name, isShape) {
  return within('malformed', null, () => {
    const bytes = files.get(`data/${name}`);
    refuseUnless(bytes.length <= LONGEST_LINE + 1, `${name} is too long.`);
    refuseUnless(bytes.at(-1) === 10, `${name} has no newline behind its value.`);
    const value = canonicalJson(bytes.subarray(0, -1));
    refuseUnless(isShape(value), `${name} has members or types other than the format says.`);
    return value;
  });
}

/** Each line of a `.jsonl` file is checked and let go: such a file may be larger than memory. */
function checkLines(files, name, isShape, visit = () => {}) {
  within('malformed', null, () => {
    const bytes = files.get(`data/${name}`);
    for (const bounds of lineBounds(bytes)) {
      const line = lineObject(bytes, bounds);
      refuseUnless(isShape(line), `${name} has members or types other than the format says.`);
      visit(line);
    }
  });
}

function checkSortedLines(files, name, isShape, member, visit = () => {}) {
  let last = '';
  checkLines(files, name, isShape, (line) => {
    refuseUnless(last < line[member], `${name} is not sorted by ${member}, or has a line twice.`);
    last = line[member];
    visit(line);
  });
}

/**
 * The size of the log that a command's signer saw, if it says so in any form that can be read.
 * Roots of all sizes are computed in one pass, before commands are checked (section 8, item 9).
 */
function seenSize(line) {
  try {
    const payload = JSON.parse(Buffer.from(line.envelope.payload, 'base64').toString('utf8'));
    return isIndex(payload.seen.size) ? payload.seen.size : Infinity;
  } catch {
    return Infinity;
  }
}

// ---------------------------------------------------------------------------------------------
// Signed notes (section 6)
// ---------------------------------------------------------------------------------------------

const LONGEST_NOTE = 64 * 1024;
const MOST_SIGNATURES = 64;
const TYPE_ED25519 = 1;
const TYPE_COSIGNATURE = 4;
const KEY_NAME = /^[^\s+\p{Cc}]+$/u;

/** A C2SP signed note: its text, and its signatures by name and key id. */
function parseNote(note) {
  refuseUnless(Buffer.byteLength(note) <= LONGEST_NOTE, 'The note is too long.');
  refuseUnless(!/[\x00-\x09\x0b-\x1f]/.test(note), 'The note has a control character.');
  const gap = note.lastIndexOf('\n\n');
  refuseUnless(gap > 0 && note.endsWith('\n'), 'The note has no signatures.');
  const lines = note.slice(gap + 2, -1).split('\n');
  refuseUnless(lines.length <= MOST_SIGNATURES, 'The note has too many signatures.');
  return { text: note.slice(0, gap + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line) {
  const [dash, name, encoded, ...rest] = line.split(' ');
  const bytes = fromBase64(encoded);
  const isForm = dash === '\u2014' && KEY_NAME.test(name ?? '') && rest.length === 0;
  refuseUnless(isForm && bytes !== null && bytes.length > 4, 'A signature line is malformed.');
  return { name, id: bytes.toString('hex', 0, 4), bytes: bytes.subarray(4) };
}

/** A checkpoint: a note of three lines. The root stays base64. */
function parseCheckpoint(note) {
  const { text, signatures } = parseNote(note);
  const [origin, size, root, end, ...rest] = text.split('\n');
  refuseUnless(end === '' && rest.length === 0, 'A checkpoint has three lines.');
  refuseUnless(readSize(size) !== null && isHash(root), 'The size or the root is malformed.');
  return { note, text, signatures, origin, size: readSize(size), root };
}

const SIZE = new RegExp(`^${NUMBER}$`);

/** A size or an index in decimal, or null. */
function readSize(text) {
  return SIZE.test(text ?? '') && isIndex(Number(text)) ? Number(text) : null;
}

const isSignedBy = ({ name, id }) => (signature) => signature.name === name && signature.id === id;

/** Whether a note has exactly one signature under a name and key id, and it is right. */
function hasRightSignature({ text, signatures }, signer) {
  const own = signatures.filter(isSignedBy(signer));
  return own.length === 1 && ed25519Verify(signer.key, Buffer.from(text), own[0].bytes);
}

/** The last second of the year 9999. */
const LATEST = 253402300799n;

/** The time of a cosignature in seconds, or null if it has none. */
function stampOf({ bytes }) {
  if (bytes.length !== 72) return null;
  const time = bytes.readBigUInt64BE(0);
  return time > 0n && time <= LATEST ? time : null;
}

/** Whether a cosignature (C2SP tlog-cosignature) is right. */
function isRightCosignature({ text }, signature, { key }) {
  const time = stampOf(signature);
  if (time === null) return false;
  const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  return ed25519Verify(key, message, signature.bytes.subarray(8));
}

/** The time by the cosignature of the log's own key, if there is exactly one, and it is right. */
function ownTime(note, { name, key }) {
  const material = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([TYPE_COSIGNATURE]), key]);
  const own = note.signatures.filter(isSignedBy({ name, id: sha256Hex(material).slice(0, 8) }));
  const isRight = own.length === 1 && isRightCosignature(note, own[0], { key });
  return isRight ? stampOf(own[0]) * SECOND : null;
}

/** A verifier key `<name>+<key id>+<base64>`, whatever its type. */
function parseVerifierKey(text) {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  const bytes = match === null ? null : fromBase64(match[3]);
  refuseUnless(bytes !== null && KEY_NAME.test(match[1]), 'A verifier key is malformed.');
  return { name: match[1], id: match[2], bytes, key: bytes.subarray(1) };
}

/** Whether a verifier key is of this type, has the right key id, and section 9 admits it. */
function isVerifierKey({ name, id, bytes, key }, type) {
  if (bytes.length !== 33 || bytes[0] !== type) return false;
  return sha256Hex(Buffer.from(`${name}\n`), bytes).startsWith(id) && admitted(key);
}

// ---------------------------------------------------------------------------------------------
// Policy and pins (section 7)
// ---------------------------------------------------------------------------------------------

/** The words of each line that has some; of octets, as names need not be UTF-8. */
function readLines(bytes) {
  const text = bytes.toString('latin1');
  refuseUnless(!/[\x00-\x08\x0b-\x1f\x7f]/.test(text), 'It has a control character.');
  const lines = text.split('\n').map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''));
  const stated = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return stated.map((line) => line.split(/[ \t]+/));
}

function utf8Word(word) {
  const bytes = Buffer.from(word, 'latin1');
  refuseUnless(isUtf8(bytes), 'A key or a name is not UTF-8.');
  return bytes.toString('utf8');
}

/** Reads a policy, and refuses what it does not understand: half a policy protects nobody. */
class Policy {
  constructor(bytes) {
    this.logs = [];
    this.quorum = null;
    this.witnesses = new Map();
    this.wordOf = new Map();
    this.groups = new Map();
    this.members = new Set();
    for (const words of readLines(bytes)) this.readLine(words);
    refuseUnless(this.logs.length > 0, 'The policy names no log.');
    refuseUnless(this.quorum !== null, 'The policy names no quorum.');
  }

  readLine([keyword, ...words]) {
    const read = {
      log: this.readLog,
      witness: this.readWitness,
      group: this.readGroup,
      quorum: this.readQuorum,
    };
    const isKnown = Object.hasOwn(read, keyword);
    refuseUnless(isKnown, `The policy has an unknown line ${quote(keyword)}.`);
    read[keyword].call(this, words);
  }

  /** A log may have an address, which is passed over. */
  readLog([text, , ...rest]) {
    refuseUnless(text !== undefined && rest.length === 0, 'A log has a key.');
    const log = parseVerifierKey(utf8Word(text));
    refuseUnless(isVerifierKey(log, TYPE_ED25519), 'The key of a log is no key.');
    const isNew = this.logs.every(({ key }) => !key.equals(log.key));
    refuseUnless(isNew, 'Two logs have one key.');
    this.logs.push(log);
  }

  /** The log's key of an origin; of several, the one that signed a note. */
  logOf(origin, note = null) {
    const own = this.logs.filter(({ name }) => name === origin);
    const signer = own.find((log) => note !== null && hasRightSignature(note, log));
    return signer ?? own[0];
  }

  /** A witness may have an address, which is passed over. */
  readWitness([word, text, , ...rest]) {
    refuseUnless(text !== undefined && rest.length === 0, 'A witness has a word and a key.');
    this.checkNewWord(word);
    const witness = parseVerifierKey(utf8Word(text));
    refuseUnless(isVerifierKey(witness, TYPE_COSIGNATURE), `The key of ${quote(word)} is no key.`);
    // Under two words, one witness would count twice.
    const isNew = [...this.witnesses.values()].every(({ name, id, key }) => {
      return !key.equals(witness.key) && (name !== witness.name || id !== witness.id);
    });
    refuseUnless(isNew, `The key of ${quote(word)} stands under another word.`);
    this.wordOf.set(keyOf(witness.name, witness.id), word);
    this.witnesses.set(word, witness);
  }

  readGroup([word, threshold, ...members]) {
    refuseUnless(members.length > 0, 'A group has a word, a number and members.');
    this.checkNewWord(word);
    for (const member of members) {
      refuseUnless(this.isWord(member), `The group ${quote(word)} has a member not named above.`);
      refuseUnless(!this.members.has(member), `${quote(member)} is a member twice.`);
      this.members.add(member);
    }
    const count = { all: members.length, any: 1 }[threshold] ?? readSize(threshold);
    const isCount = count !== null && count >= 1 && count <= members.length;
    refuseUnless(isCount, `The group ${quote(word)} asks for a number it cannot have.`);
    this.groups.set(word, { count, members });
  }

  readQuorum([word, ...rest]) {
    const isKnown = word === 'none' || this.isWord(word);
    refuseUnless(isKnown && rest.length === 0, 'The quorum is a word named above, or none.');
    refuseUnless(this.quorum === null, 'The policy names one quorum.');
    this.quorum = word;
  }

  isWord(word) {
    return this.witnesses.has(word) || this.groups.has(word);
  }

  checkNewWord(word) {
    refuseUnless(word !== 'none' && !this.isWord(word), `The word ${quote(word)} stands twice.`);
  }

  /** The times of each witness's cosignatures of a checkpoint; null if one of them is wrong. */
  cosigners(checkpoint) {
    const times = new Map();
    for (const signature of checkpoint.signatures) {
      const word = this.wordOf.get(keyOf(signature.name, signature.id));
      if (word === undefined) continue;
      if (!isRightCosignature(checkpoint, signature, this.witnesses.get(word))) return null;
      times.set(word, [...(times.get(word) ?? []), stampOf(signature)]);
    }
    return times;
  }

  /** The last second since when cosignatures meet the quorum; null if no witness is asked for. */
  witnessedAt(cosigners) {
    if (this.quorum === 'none') return null;
    const times = [...cosigners.values()].flat().sort((one, other) => (one > other ? -1 : 1));
    const since = (time) => [...cosigners].filter(([, own]) => own.some((at) => at >= time));
    return times.find((time) => this.isMetBy(since(time).map(([word]) => word))) ?? null;
  }

  /** Whether these witnesses meet the quorum. Groups name only what stands before them. */
  isMetBy(words) {
    const met = new Set(words);
    for (const [word, { count, members }] of this.groups) {
      if (members.filter((member) => met.has(member)).length >= count) met.add(word);
    }
    return this.quorum === 'none' || met.has(this.quorum);
  }
}

/** The keys and verifiers that a user expects. */
class Pins {
  constructor(bytes) {
    this.parties = new Map();
    this.verifiers = [];
    for (const words of readLines(bytes)) this.readLine(words.map(utf8Word));
  }

  readLine([keyword, word, value, ...rest]) {
    const isParty = keyword === 'party' && isHash(value) && !this.parties.has(word);
    const isVerifier = keyword === 'verifier' && isHex64(word) && value !== undefined;
    const isKnown = (isParty || isVerifier) && rest.length === 0;
    refuseUnless(isKnown, `The pins have an unknown line ${quote(keyword)}.`);
    if (isParty) this.parties.set(word, value);
    else this.verifiers.push({ hash: word, name: value });
  }
}

/** Section 12, step 3, and what the user gave: only the operator's key makes it understood. */
function checkIdentity(run) {
  const { bundle, files, pins } = run;
  if (run.policy === null) {
    run.policy = within('identity', null, () => readBundledPolicy(files.get('data/policy.txt')));
  }
  const isNamed = run.policy.logOf(bundle.origin) !== undefined;
  faultUnless(isNamed, 'identity', null, 'The policy names another log.');
  for (const { hash, name } of pins.verifiers) {
    const file = files.get(`data/${name}`);
    const isRight = file !== undefined && sha256Hex(file) === hash;
    faultUnless(isRight, 'verifier', null, `${quote(name)} is not the verifier that is pinned.`);
  }
  run.checked.push('identity: the origin is that of the policy');
  if (pins.verifiers.length > 0) run.checked.push('verifiers: as they are pinned');
  readUserEvidence(run);
}

/** Of a policy in the bundle: each key in it takes time, and no honest one is near this. */
const LONGEST_POLICY = 64 * 1024;

function readBundledPolicy(bytes) {
  refuseUnless(bytes.length <= LONGEST_POLICY, 'The policy is too long.');
  return new Policy(bytes);
}

/** Checkpoints seen before (section 7) and receipts (section 11). */
function readUserEvidence(run) {
  const { origin } = run.bundle;
  const signed = (kind, parse) => (bytes, at) => {
    return withinUserFile(`${kind} ${at + 1}`, () => {
      const note = parse(utf8(bytes));
      refuseUnless(note.origin === origin, 'It is of another log.');
      const isSigned = hasRightSignature(note, run.policy.logOf(origin, note));
      refuseUnless(isSigned, 'It has no right signature of the operator.');
      return note;
    });
  };
  run.seen = run.options.seen.map(signed('seen', parseCheckpoint));
  run.receipts = run.options.receipts.map(signed('receipt', parseReceipt));
}

const RECEIPT = new RegExp(
  '^accord/receipt@v1\\n(?<origin>[^\\n]+)\\ncommand [0-9a-f]{64}\\n' +
    `events (?<first>${NUMBER}) (?<count>${NUMBER})\\n` +
    '(?<leaves>(?:leaf [A-Za-z0-9+/]{43}=\\n)+)deadline (?<deadline>[^\\n]+)\\n$',
);

/** Section 11. */
function parseReceipt(note) {
  const { text, signatures } = parseNote(note);
  const groups = RECEIPT.exec(text)?.groups;
  refuseUnless(groups !== undefined, 'It is no receipt.');
  const { origin } = groups;
  const [first, count] = [readSize(groups.first), readSize(groups.count)];
  const leaves = groups.leaves.trimEnd().split('\n').map((line) => fromBase64(line.slice(5), 32));
  const deadline = moment(groups.deadline);
  const isForm = first !== null && count === leaves.length && !leaves.includes(null);
  refuseUnless(isForm && deadline !== null, 'It is no receipt.');
  return { text, signatures, origin, first, leaves, deadline };
}

// ---------------------------------------------------------------------------------------------
// Events (sections 4 and 5)
// ---------------------------------------------------------------------------------------------

/** Where the first item is that meets a condition, as all behind it do: by halving. */
function firstWhere(items, isBehind) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = half(low + high);
    if (isBehind(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The events of the bundle. Of each one shown a few members stay in memory; the whole event is
 * parsed again where it is asked for, so that a large log does not exhaust the memory.
 */
class Log {
  constructor(bytes, size) {
    this.bytes = bytes;
    this.size = size;
    this.bounds = [];
    this.heads = [];
    this.shown = [];
    this.hidden = [];
    /** The first that is withheld because of the range. */
    this.notAsked = undefined;
    this.withheld = { private: 0, range: 0 };
    this.leaves = Buffer.alloc(0);
    this.commitments = new Set();
  }

  /** The event at an index, or null where it is withheld or there is none. */
  event(index) {
    if (!this.heads[index]) return null;
    const { start, end } = this.bounds[index];
    return JSON.parse(this.bytes.toString('utf8', start, end));
  }

  /** When the event at an index, which is shown, was recorded: in microseconds. */
  recorded(index) {
    return moment(this.heads[index].recordedAt);
  }

  leaf(index) {
    return this.leaves.subarray(32 * index, 32 * index + 32);
  }

  /** The first index shown that meets a condition; all behind it must meet it too. */
  firstShown(isBehind) {
    return this.shown[firstWhere(this.shown, isBehind)];
  }
}

/** Section 12, step 4: each line `malformed`, then `event-altered`; then the rest. */
function readEvents(run) {
  const events = run.files.get('data/events.jsonl');
  const hashes = lineBounds(run.files.get('data/hashes.txt'));
  run.log = new Log(events, run.bundle.size);
  const reader = new EventReader(run);
  let lines = 0;
  let noted = 0;
  for (const bounds of lineBounds(events)) {
    const line = within('malformed', lines, () => lineObject(events, bounds));
    const isKnownForm = !Object.hasOwn(line, 'withheld') || isWithheld(line);
    faultUnless(isKnownForm, 'malformed', lines, 'A withheld event is not as the format says.');
    const { value: hashBounds } = hashes.next();
    if (hashBounds !== undefined) {
      reader.compare(noted, line, bounds, hashBounds);
      noted += 1;
    }
    lines += 1;
  }
  while (!hashes.next().done) noted += 1;
  const { size } = run.bundle;
  const isComplete = lines === size && noted === size;
  const detail = `There are ${lines} events, ${noted} hashes, and the size is said to be ${size}.`;
  faultUnless(isComplete, 'events-missing', Math.min(lines, noted, size), detail);
  if (reader.fault !== null) throw reader.fault;
  run.checked.push(`events: ${run.log.shown.length} shown, each with its leaf hash and its form`);
  const { withheld } = run.log;
  for (const why of Object.keys(withheld).filter((reason) => withheld[reason] > 0)) {
    run.notChecked.push(`${withheld[why]} events that are withheld (${why})`);
  }
}

const COMMITMENT = /"(person:[0-9a-f]{64})"/g;

/** Takes in the events, line by line. */
class EventReader {
  constructor({ files, bundle, log }) {
    this.log = log;
    this.partnership = bundle.partnership;
    this.hashes = files.get('data/hashes.txt');
    this.leaves = Buffer.alloc(32 * Math.ceil(this.hashes.length / 65));
    this.streams = new Map();
    this.sources = new Map();
    this.names = new Map();
    this.recorded = null;
    // The first fault of section 4's `event`. Its turn comes when every line was compared, but
    // the events are parsed once.
    this.fault = null;
    log.leaves = this.leaves;
  }

  /** Section 5: the hash of a line is the one that was noted. */
  compare(index, line, bounds, { start, end, complete }) {
    const noted = complete ? this.hashes.latin1Slice(start, end) : '';
    const bytes = this.log.bytes.subarray(bounds.start, bounds.end);
    const hash = line.withheld ?? leafHash(bytes).toString('hex');
    faultUnless(hash === noted, 'event-altered', index, 'The event is not the one recorded.');
    this.leaves.write(hash, 32 * index, 'hex');
    if (this.fault === null) this.takeIn(index, line, bounds);
  }

  takeIn(index, line, { start, end }) {
    this.log.bounds.push({ start, end });
    if (line.withheld !== undefined) {
      this.log.hidden.push(index);
      if (line.why === 'range') this.log.notAsked ??= index;
      this.log.withheld[line.why] += 1;
      this.log.heads.push(null);
      return;
    }
    try {
      within('event', index, () => this.check(index, line));
    } catch (fault) {
      this.fault = fault;
    }
  }

  /** Section 4, items 1 to 5. */
  check(index, event) {
    refuseUnless(isEvent(event), 'The event has members or types other than the format says.');
    this.checkPlace(event);
    const recorded = moment(event.recorded_at);
    const isLater = this.recorded === null || recorded >= this.recorded;
    refuseUnless(isLater, 'The event was recorded before the one before it.');
    this.recorded = recorded;
    const mayGap = this.checkVersion(index, event);
    const source = this.checkId(index, event);
    this.log.shown.push(index);
    this.log.heads.push({
      type: this.once(event.type),
      party: this.once(event.party),
      version: event.stream_version,
      mayGap,
      signed: event.signed ?? null,
      recordedAt: event.recorded_at,
      source,
      ordinal: source.ordinal,
    });
    this.gatherCommitments(index);
  }

  checkPlace({ partnership, stream }) {
    const isOwn = partnership === this.partnership;
    const isStream = stream === partnership || stream.startsWith(`${partnership}/`);
    refuseUnless(isOwn && isStream, 'The event is of another partnership or stream.');
  }

  /** Section 4, item 4: whether a version may be missing, as something was withheld since. */
  checkVersion(index, { stream, stream_version: version }) {
    const last = this.streams.get(stream) ?? { version: 0, index: -1 };
    const mayGap = this.log.hidden.at(-1) > last.index;
    const follows = mayGap ? version > last.version : version === last.version + 1;
    refuseUnless(follows, 'The event is not the next one of its stream.');
    this.streams.set(stream, { version, index });
    return mayGap;
  }

  /** Section 4, item 5: the id is that of party, source, source id and ordinal. */
  checkId(index, { party, source, source_id: sourceId, event_id: id }) {
    const names = [party, source, sourceId];
    const stem = names.map((each) => `${codePoints(each)}:${each}`).join('');
    const group = this.sources.get(stem) ?? { first: index, last: -1, ordinal: -1, shown: 0 };
    const mayGap = this.log.hidden.at(-1) > group.last;
    const lowest = group.ordinal + 1;
    const highest = mayGap ? group.shown + 64 : lowest;
    let ordinal = lowest;
    while (ordinal <= highest && sha256Hex(stem + ordinal).slice(0, 32) !== id) ordinal += 1;
    refuseUnless(ordinal <= highest, 'The id of the event is not that of its party and source.');
    group.ordinal = ordinal;
    group.last = index;
    group.shown += 1;
    this.sources.set(stem, group);
    return group;
  }

  /** One copy of a text that many events have. */
  once(text) {
    if (!this.names.has(text)) this.names.set(text, text);
    return this.names.get(text);
  }

  gatherCommitments(index) {
    const { start, end } = this.log.bounds[index];
    const text = this.log.bytes.latin1Slice(start, end);
    if (!text.includes('"person:')) return;
    for (const [, commitment] of text.matchAll(COMMITMENT)) this.log.commitments.add(commitment);
  }
}

function codePoints(text) {
  let count = text.length;
  for (let at = 0; at < text.length; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count -= 1;
  }
  return count;
}

// ---------------------------------------------------------------------------------------------
// Checkpoints, proofs and timestamps (section 6)
// ---------------------------------------------------------------------------------------------

/** How far the time of a checkpoint may be from those of the events about it: 300 s. */
const SECOND = 1000000n;
const TOLERANCE = 300n * SECOND;

/** Section 12, step 5. */
function checkCheckpoints(run) {
  const { bundle, log } = run;
  const bytes = run.files.get('data/checkpoints.jsonl');
  collectSizes(run, bytes);
  run.roots = rootsOf(log.leaves, bundle.size, run.sizes);
  run.checkpoints = new Map();
  run.last = null;
  run.odd = { sizes: new Set(), gap: 0n };
  let count = 0;
  for (const { start, end } of lineBounds(bytes)) {
    const line = JSON.parse(bytes.toString('utf8', start, end));
    within('checkpoint-malformed', count, () => checkCheckpoint(run, line));
    count += 1;
  }
  const isWhole = run.last !== null && (bundle.custody === null || run.last.size === bundle.size);
  const detail = 'The last checkpoint is not that of the whole log.';
  faultUnless(isWhole, 'checkpoint-malformed', bundle.size, detail);
  run.checked.push(`checkpoints: ${count}, each with its signature, root, consistency and time`);
  const behind = bundle.size - run.last.size;
  if (behind > 0) run.notChecked.push(`${behind} events behind the last checkpoint`);
  reportTimes(run);
}

/** The sizes whose roots will be needed, from lines that are not checked yet. */
function collectSizes(run, bytes) {
  const add = (size) => {
    if (size !== null && size <= run.bundle.size) run.sizes.add(size);
  };
  for (const { start, end } of lineBounds(bytes)) {
    add(statedSize(JSON.parse(bytes.toString('utf8', start, end)).note));
  }
  for (const { size } of run.seen) add(size);
}

/** The size that a note says in its second line, however malformed the rest of it is. */
const statedSize = (note) => readSize(note.split('\n', 2)[1]);

function checkCheckpoint(run, line) {
  const checkpoint = parseCheckpoint(line.note);
  const proof = line.consistency.map((hash) => fromBase64(hash, 32));
  refuseUnless(checkpoint.origin === run.bundle.origin, 'The checkpoint is of another log.');
  const { last } = run;
  const grows = last === null || checkpoint.size >= last.size;
  refuseUnless(grows, 'The checkpoint is smaller than the one before it.');
  checkSignatures(run, checkpoint);
  const isLater = last === null || checkpoint.time >= last.time;
  const older = 'The checkpoint is older than the one before it.';
  faultUnless(isLater, 'checkpoint-signature', checkpoint.size, older);
  noteTimes(run, checkpoint);
  const { size, root } = checkpoint;
  const isRoot = run.roots.get(size) === root;
  faultUnless(isRoot, 'checkpoint-root', size, 'The root is not that of the events.');
  const isConsistent = leadsFrom(last, checkpoint, proof);
  const detail = 'The proof does not lead here from the checkpoint before.';
  faultUnless(isConsistent, 'checkpoint-consistency', size, detail);
  checkTimes(run.log, checkpoint);
  run.last = checkpoint;
  run.checkpoints.set(sha256Hex(checkpoint.note), { size, root });
}

function checkSignatures({ policy }, checkpoint) {
  const code = 'checkpoint-signature';
  const log = policy.logOf(checkpoint.origin, checkpoint);
  checkpoint.time = ownTime(checkpoint, log);
  const isSigned = checkpoint.time !== null && hasRightSignature(checkpoint, log);
  faultUnless(isSigned, code, checkpoint.size, 'The signature of the operator is wrong.');
  checkpoint.cosigners = policy.cosigners(checkpoint);
  const isRight = checkpoint.cosigners !== null;
  faultUnless(isRight, code, checkpoint.size, 'The cosignature of a witness is wrong.');
}

/** Notes the checkpoints whose time is far from their cosignatures, and the farthest of them. */
function noteTimes(run, { size, time, cosigners }) {
  for (const [word, times] of cosigners) {
    for (const at of times) {
      const gap = at * SECOND > time ? at * SECOND - time : time - at * SECOND;
      if (gap <= TOLERANCE) continue;
      run.odd.sizes.add(size);
      if (gap > run.odd.gap) Object.assign(run.odd, { gap, size, time, word, at });
    }
  }
}

const shownTime = (time) => `${new Date(Number(time) * 1000).toISOString().slice(0, 19)}Z`;

function reportTimes({ odd, notChecked }) {
  if (odd.sizes.size === 0) return;
  notChecked.push(
    `when events were recorded: the times of ${odd.sizes.size} checkpoints differ by more than ` +
      `300 s from their cosignatures, at most by ${odd.gap / SECOND} s (the checkpoint of ` +
      `${odd.size} events: ${shownTime(odd.time / SECOND)} by the log, ` +
      `${shownTime(odd.at)} by ${odd.word})`,
  );
}

/** Nothing is to be proved of the first line, from the empty tree, or from the same size. */
function leadsFrom(last, { size, root }, proof) {
  if (last === null || last.size === 0 || last.size === size) return proof.length === 0;
  const [before, after] = [last.root, root].map((hash) => fromBase64(hash));
  return verifyConsistency(last.size, size, proof, before, after);
}

/**
 * Item 5. The events shown never go back in time (section 4), so the first that breaks the bound
 * before the size, and the first that breaks the one behind it, are found by halving.
 */
function checkTimes(log, { size, time }) {
  const code = 'checkpoint-time';
  const late = log.firstShown((index) => log.recorded(index) > time + TOLERANCE);
  const isEarlyEnough = late === undefined || late >= size;
  faultUnless(isEarlyEnough, code, late, 'The event is in a checkpoint older than itself.');
  const next = log.firstShown((index) => index >= size);
  const isLateEnough = next === undefined || log.recorded(next) >= time - TOLERANCE;
  faultUnless(isLateEnough, code, next, 'The event is missing from a younger checkpoint.');
}

/** The numbers in the names of files such as `data/proofs/12.tlog-proof`, in order. */
function numbersOf(files, folder, ending) {
  return [...files.keys()]
    .filter((name) => name.startsWith(`data/${folder}/`))
    .map((name) => Number(name.slice(`data/${folder}/`.length, -ending.length)))
    .sort((one, other) => one - other);
}

/** Section 12, step 6. */
function checkProofs(run) {
  const indexes = numbersOf(run.files, 'proofs', '.tlog-proof');
  for (const index of indexes) {
    within('proof', index, () => {
      checkProof(run, index, run.files.get(`data/proofs/${index}.tlog-proof`));
    });
  }
  if (indexes.length > 0) run.checked.push(`proofs of inclusion: ${indexes.length}`);
  const timestamps = numbersOf(run.files, 'timestamps', '.tsr');
  if (timestamps.length > 0) {
    run.notChecked.push(`${timestamps.length} timestamps (RFC 3161), for want of a library`);
  }
}

function checkProof({ checkpoints, bundle, log }, index, bytes) {
  refuseUnless(bytes.length <= 2 * LONGEST_NOTE, 'The proof is too long.');
  const text = utf8(bytes);
  const gap = text.indexOf('\n\n');
  const [magic, indexLine, ...encoded] = text.slice(0, Math.max(gap, 0)).split('\n');
  const hashes = encoded.map((hash) => fromBase64(hash, 32));
  const isForm = magic === 'c2sp.org/tlog-proof@v1' && !hashes.includes(null);
  refuseUnless(isForm && indexLine === `index ${index}`, 'The proof is malformed.');
  const checkpoint = checkpoints.get(sha256Hex(text.slice(gap + 2)));
  refuseUnless(checkpoint !== undefined, 'The checkpoint of the proof is not in the bundle.');
  const { size, root } = checkpoint;
  const isIncluded =
    index < bundle.size && verifyInclusion(log.leaf(index), index, size, hashes, fromBase64(root));
  refuseUnless(isIncluded, 'The proof does not lead from the event to the checkpoint.');
}

// ---------------------------------------------------------------------------------------------
// Keys of parties (section 8)
// ---------------------------------------------------------------------------------------------

const KEY_EVENTS = new Set(['KeyRegistered', 'KeyRotated', 'KeyRevoked']);

/** The keys of the parties, as the events before the one at hand made them. */
class Keyring {
  constructor({ bundle, pins }) {
    this.partnership = bundle.partnership;
    this.pinned = pins.parties;
    /** Every key by its id. */
    this.keys = new Map();
    /** Where each party registered its first key. */
    this.since = new Map();
  }

  /** Checks an event that tells of a key, and takes it in. */
  takeIn(index, { type, party, data }) {
    if (type === 'KeyRevoked') {
      this.end(index, party, data.keyid);
      return;
    }
    const key = fromBase64(data.key, 32);
    const isAdmitted = key !== null && admitted(key);
    faultUnless(isAdmitted, 'key-weak', index, 'The key is none, or one of small order.');
    this.checkPossession(index, party, key, data.proof);
    const kinds = data.delegated ?? null;
    let delegated = kinds === null ? null : new Set(Array.isArray(kinds) ? kinds : []);
    if (type === 'KeyRotated') ({ delegated } = this.end(index, party, data.replaces));
    const isPinned = this.since.has(party) || (this.pinned.get(party) ?? data.key) === data.key;
    faultUnless(isPinned, 'key-unknown', index, 'Another first key is pinned.');
    const keyid = sha256Hex(key).slice(0, 16);
    faultUnless(!this.keys.has(keyid), 'key-unknown', index, 'The key stands in the log already.');
    this.keys.set(keyid, { party, key: data.key, keyid, delegated, since: index, until: null });
    if (!this.since.has(party)) this.since.set(party, index);
  }

  checkPossession(index, party, key, proof) {
    const text = `accord/key@v1\n${this.partnership}\n${party}\n${key.toString('base64')}\n`;
    const signature = fromBase64(proof, 64);
    const isRight = signature !== null && ed25519Verify(key, Buffer.from(text), signature);
    faultUnless(isRight, 'key-proof', index, "The key has not signed that it is the party's.");
  }

  /** Ends the key with this id: rotated out, or revoked. */
  end(index, party, keyid) {
    const entry = this.keys.get(keyid);
    const isActive = entry?.party === party && entry.until === null;
    faultUnless(isActive, 'key-unknown', index, 'The event names no active key of the party.');
    entry.until = index;
    return entry;
  }

  /** Whether the party registered a key before this event. */
  hadKeyAt(index, party) {
    return this.since.get(party) < index;
  }

  /** Whether any party has registered a key before this event. */
  get hasKeys() {
    return this.since.size > 0;
  }

  /** The key under which a command at this index may be signed, or the fault that there is none. */
  keyFor(index, { type, party }, keyid) {
    const entry = this.keys.get(keyid);
    // For a party's very first registration a command may be signed with the key registered.
    const isFirst = type === 'KeyRegistered' && !this.hadKeyAt(index, party);
    const isKnown = entry?.party === party && (entry.since < index || isFirst);
    faultUnless(isKnown, 'command-key', index, 'The key is unknown.');
    const isActive = entry.until === null || index <= entry.until;
    faultUnless(isActive, 'command-key', index, 'The key was revoked or rotated out.');
    const isDelegated = entry.delegated === null || entry.delegated.has(FACTS.get(type));
    faultUnless(isDelegated, 'command-key', index, 'The party did not delegate this to the key.');
    return fromBase64(entry.key);
  }
}

// ---------------------------------------------------------------------------------------------
// Signed commands (section 8)
// ---------------------------------------------------------------------------------------------

const OPERATOR = 'accord'; // the party of what the operator itself does
const STATEMENT_EVENTS = new Set(['StatementIssued', 'FinalSettlementIssued']);
const MUST_BE_SIGNED = new Set([
  ...`ActionAgreed ActionProposed ActivityPaused AdjustmentAgreed AdjustmentProposed
    AdoptionPartAgreed AdoptionProposed AgreementAdopted AgreementAmended AgreementDrafted
    AgreementSigned AssetsDispositioned AttributionProposed AttributionSettled BreachCured
    BreachNoticeGiven CancellationProposed CharterAgreed CharterProposed
    CommercialTermsAgreed CommitmentCancelled CommunicationPolicyAgreed
    CommunicationPolicyProposed CompletionProposed CureProposed DataSharingAgreed
    DataSharingProposed DealsMerged DecisionRuleAgreed DecisionRuleProposed
    DispositionProposed DisputeOpened DisputeResolved ExitAgreed ExitNoticeGiven
    ExitProposed ExitWithdrawalProposed ExitWithdrawn ExplorationClosed
    FinalSettlementIssued GovernanceEstablished GovernanceProposed HypothesisRegistered
    ImprovementPlanAgreed ImprovementPlanCompleted ImprovementPlanOutcomeProposed
    ImprovementPlanProposed IncentiveIntroduced IntegrationSpendCommitted InvestmentReduced
    IssueResolutionProposed IssueResolved JointInvestmentAgreed JointInvestmentProposed
    MediationStarted MergeProposed MetricAgreed MetricOwnerAssigned MetricOwnerProposed
    MetricProposed MilestonePlanned MilestoneProposed ObjectiveAgreed OnboardingStepAgreed
    OnboardingStepProposed PartnershipAdopted PartnershipExited PartnershipRenewed
    PauseProposed PayoutCorrected PayoutRecorded PayoutReturned PenaltyConceded PersonErased
    PilotStarted PriorAgreed PriorProposed ProposalDeclined ProposalWithdrawn RateAgreed
    RateProposed ReductionProposed RenewalProposed ResolutionProposed ReviewProposed
    ReviewScheduled ScopeExpanded ScopeProposed StatementIssued TargetAdjusted
    TargetProposed TermsAccepted TermsCountered TermsProposed VariantPromoted WaiverGranted
    WaiverProposed`.split(/\s+/),
  ...KEY_EVENTS,
]);

/** The kind of each fact that moves money. */
const FACTS = new Map(
  Object.entries({
    deals: `DealCancelled DealLost DealReopened DealWon DemoHeld LeadQualified OpportunityCreated
      ReferralAttributed ReferralSubmitted WinCorrected`,
    payments: 'PaymentCorrected PaymentReceived',
    refunds: 'RefundCorrected RefundIssued RefundReversed',
    costs: 'EntryReversed JointRevenueReceived SharedCostIncurred',
    figures: 'MetricCorrected MetricReported',
    rates: 'RateObjected RatePublished',
    claims: 'ClaimConfirmed ClaimObjected',
  }).flatMap(([kind, facts]) => facts.split(/\s+/).map((fact) => [fact, kind])),
);

/** The commands that accept without beginning with `Agree`, and one that accepts nothing. */
const ACCEPTING = new Set(
  `AcceptRenewal AcceptResolution AcceptTerms ExpandScope SignAgreement StartPilot`.split(' '),
);
const ACCEPTS_NOTHING = 'AgreeBridgingPlan';
const OF_AN_ADOPTION = new Set(['AgreeAdoption', 'AgreeAdoptionPart']);
const OTHER_PROPOSALS = new Set(['AgreementDrafted', 'HypothesisRegistered', 'TermsCountered']);

function accepts(command) {
  return (
    ACCEPTING.has(command) || (command.startsWith('Agree') && command !== ACCEPTS_NOTHING)
  );
}

/** Section 12, step 7. */
function checkCommands(run) {
  const { log, notChecked } = run;
  run.keyring = new Keyring(run);
  const checker = new CommandChecker(run);
  for (const index of log.shown) {
    const head = log.heads[index];
    if (KEY_EVENTS.has(head.type)) {
      within('key-unknown', index, () => run.keyring.takeIn(index, log.event(index)));
    }
    within('command-malformed', index, () => {
      checker.check(index, head);
      checker.takeProposal(index, head);
    });
  }
  run.checked.push(`keys: ${run.keyring.keys.size}`, `signed commands: ${checker.verified}`);
  if (checker.erased > 0) notChecked.push(`${checker.erased} events whose command was erased`);
  for (const index of log.shown) {
    if (log.heads[index].type !== 'FirstKeySentByOperator') continue;
    notChecked.push(`the operator itself sent the first key of ${log.event(index).data.party}`);
  }
  const unsigned = new Map();
  for (const index of log.shown) {
    const { type, signed } = log.heads[index];
    const kind = FACTS.get(type);
    if (signed === null && kind) unsigned.set(kind, (unsigned.get(kind) ?? 0) + 1);
  }
  for (const kind of [...unsigned.keys()].sort()) {
    notChecked.push(`${unsigned.get(kind)} facts that move money and no party signed (${kind})`);
  }
  if (checker.unseen.size > 0) {
    notChecked.push(`${checker.unseen.size} acceptances of what was not asked for`);
  }
  const [registered, pinned] = [run.keyring.since, run.pins.parties];
  for (const party of pinned.keys()) {
    const detail = `The log has no key of ${quote(party)}, whose key is pinned.`;
    faultUnless(registered.has(party), 'key-unknown', null, detail);
  }
  const unpinned = [...registered.keys()].filter((party) => !pinned.has(party));
  if (unpinned.length > 0) {
    notChecked.push(`the first keys of ${unpinned.length} parties, which are not pinned`);
  }
}

class CommandChecker {
  constructor({ bundle, files, log, keyring, roots }) {
    this.bundle = bundle;
    this.log = log;
    this.keyring = keyring;
    this.roots = roots;
    this.bytes = files.get('data/commands.jsonl');
    this.lines = this.findLines();
    this.digests = new Map();
    this.nonces = new Map();
    /** What can be accepted, by its digest. */
    this.proposed = new Map();
    /** The commands that accept what was not asked for. */
    this.unseen = new Set();
    this.verified = 0;
    this.erased = 0;
  }

  /** Where the line of each command is that an event names. */
  findLines() {
    const named = new Set(this.log.shown.map((index) => this.log.heads[index].signed));
    const lines = new Map();
    for (const { start, end } of lineBounds(this.bytes)) {
      // Lines are canonical and begin with the digest, so there is no need to parse them again.
      const digest = this.bytes.latin1Slice(start + 11, start + 75);
      if (named.has(digest)) lines.set(digest, { start, end });
    }
    return lines;
  }

  check(index, head) {
    this.checkSiblings(index, head);
    if (head.signed === null) {
      this.checkNeed(index, head);
      return;
    }
    const command = head.source.command ?? this.read(index, head.signed);
    if (command.isErased) {
      this.erased += 1;
      return;
    }
    this.checkCommand(index, head, command);
    this.verified += 1;
    // Read once for all its events, but for what only the first is compared with.
    command.payload.event.data = null;
    if (head.source.shown > 1) head.source.command = command;
  }

  read(index, digest) {
    const bounds = this.lines.get(digest);
    faultUnless(bounds, 'command-missing', index, 'There is no command of that digest.');
    const line = JSON.parse(this.bytes.toString('utf8', bounds.start, bounds.end));
    return line.erased ? { isErased: true } : readCommand(line);
  }

  /** All events of a source and source id name the same command, and no other event does. */
  checkSiblings(index, { source, signed }) {
    source.signed = index === source.first ? signed : source.signed;
    const isShared = source.signed === signed;
    const owner = this.digests.get(signed) ?? source;
    const isOwn = isShared && owner === source;
    faultUnless(isOwn, 'command-replayed', index, 'The command is that of other events.');
    if (signed !== null) this.digests.set(signed, source);
  }

  /** Which events must be signed: not the statements that the operator itself settles. */
  checkNeed(index, { type, party }) {
    const isErasure = type === 'PersonErased' && party === OPERATOR && this.keyring.hasKeys;
    faultUnless(!isErasure, 'command-missing', index, 'The operator erased a person of a party.');
    if (!MUST_BE_SIGNED.has(type) || !this.keyring.hadKeyAt(index, party)) return;
    const isFree = STATEMENT_EVENTS.has(type) && this.log.event(index).source === 'accord:settle';
    faultUnless(isFree, 'command-missing', index, 'The party has a key and did not sign.');
  }

  /** Items 3 to 10. */
  checkCommand(index, head, command) {
    const { payload, keyid } = command;
    const event = this.log.event(index);
    this.checkElsewhere(index, event, payload);
    const key = this.keyring.keyFor(index, event, keyid);
    command.isRight ??= ed25519Verify(key, command.message, command.signature);
    faultUnless(command.isRight, 'command-signature', index, 'The signature is wrong.');
    command.message = null;
    this.checkReplay(index, event, payload);
    const isInTime = this.log.recorded(index) <= moment(payload.expires);
    faultUnless(isInTime, 'command-expired', index, 'The command had expired.');
    this.checkExpected(index, head, payload.expected);
    this.checkSeen(index, payload.seen);
    checkSameAsEvent(index, head, event, payload.event);
    this.checkContent(index, event, command);
  }

  takeProposal(index, { type }) {
    if (!type.endsWith('Proposed') && !OTHER_PROPOSALS.has(type)) return;
    const { data } = this.log.event(index);
    this.proposed.set(sha256Hex(canonical(data)), data);
  }

  /** Item 11: the content that is accepted. */
  checkContent(index, event, command) {
    const name = command.payload.type.replace(/^accord\./, '');
    if (!accepts(name)) return;
    const { data } = command.payload.event;
    if (data !== null) command.content = isObject(data) ? data.content : undefined;
    const { content } = command;
    const accepted = this.proposed.get(content);
    if (accepted === undefined) {
      const isUnseen = this.log.notAsked < index && isString(content) && /^[0-9a-f]{64}$/.test(content);
      faultUnless(isUnseen, 'command-content', index, 'No event has what the party accepted.');
      this.unseen.add(event.signed);
      return;
    }
    const isCompared = OF_AN_ADOPTION.has(name)
      ? event.type === 'PartnershipAdopted'
      : MUST_BE_SIGNED.has(event.type);
    if (!isCompared) return;
    const isSame = Object.keys(event.data).every(
      (key) => !Object.hasOwn(accepted, key) || same(event.data[key], accepted[key]),
    );
    faultUnless(isSame, 'command-content', index, 'It is not what the party accepted.');
  }

  checkElsewhere(index, { party }, payload) {
    const { origin, partnership } = this.bundle;
    const isHere =
      payload.origin === origin &&
      payload.partnership === partnership &&
      payload.party === party &&
      payload.event.subject === partnership &&
      payload.event.party === party &&
      payload.event.type === payload.type;
    faultUnless(isHere, 'command-elsewhere', index, 'The command is for elsewhere.');
  }

  checkReplay(index, event, { party, nonce, event: { source, id } }) {
    const key = keyOf(party, nonce);
    const isNew = (this.nonces.get(key) ?? event.signed) === event.signed;
    const isOwn = event.source === source && event.source_id === id;
    faultUnless(isNew && isOwn, 'command-replayed', index, 'The command was used before.');
    this.nonces.set(key, event.signed);
  }

  checkExpected(index, { source }, expected) {
    const { version, mayGap } = this.log.heads[source.first];
    const isExpected = expected === null || mayGap || expected === version - 1;
    faultUnless(isExpected, 'command-version', index, 'The stream had moved on.');
  }

  checkSeen(index, seen) {
    if (seen === null) return;
    const isSeen = seen.size <= index && this.roots.get(seen.size) === seen.root;
    faultUnless(isSeen, 'command-seen', index, 'The signer saw another log.');
  }
}

/** Item 2: the envelope (DSSE) and its payload. */
function readCommand({ digest, envelope }) {
  refuseUnless(isEnvelope(envelope), 'The envelope is not as the format says.');
  refuseUnless(envelope.signatures.length === 1, 'The envelope has not one signature.');
  refuseUnless(sha256Hex(canonical(envelope)) === digest, 'The digest is not of the envelope.');
  const bytes = fromBase64(envelope.payload);
  const payload = canonicalJson(bytes);
  refuseUnless(isPayload(payload), 'The payload is not as the format says.');
  const { payloadType, signatures } = envelope;
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${bytes.length} `;
  const message = Buffer.concat([Buffer.from(head), bytes]);
  const [{ keyid, sig }] = signatures;
  const { data, ...members } = payload.event;
  const event = { data };
  for (const name of ['source', 'id', 'subject', 'party', 'type', 'actor', 'time']) {
    event[name] = isString(members[name]) ? members[name] : null;
  }
  return { payload: { ...payload, event }, message, keyid, signature: fromBase64(sig) };
}

/** Item 10: the log says what was signed. */
function checkSameAsEvent(index, { ordinal }, event, signed) {
  const isSame =
    (isCommitment(event.actor) || event.actor === signed.actor) &&
    isMoment(signed.time) &&
    moment(event.occurred_at) === moment(signed.time) &&
    (ordinal > 0 || hasSameMembers(event.data, signed.data));
  faultUnless(isSame, 'command-differs', index, 'The event says other than what was signed.');
}

/** Whether what was signed stands in the log as it was signed, names of people aside. */
function hasSameMembers(data, signed) {
  if (!isObject(signed)) return true;
  const agree = (value, stated) => isCommitment(value) || value === stated;
  return Object.keys(data).every((name) => {
    return !Object.hasOwn(signed, name) || same(data[name], signed[name], agree);
  });
}

// ---------------------------------------------------------------------------------------------
// What the user knows (sections 7 and 11), people (section 10), custody (section 3)
// ---------------------------------------------------------------------------------------------

/** Section 12, step 8. */
function checkUserEvidence(run) {
  const { bundle, last, policy, seen, receipts, notChecked } = run;
  for (const { size, root } of seen) {
    const isSame = size > bundle.size || run.roots.get(size) === root;
    faultUnless(isSame, 'fork', size, 'The log is another than the one seen before.');
  }
  for (const { size } of seen) {
    faultUnless(size <= bundle.size, 'stale', size, 'The bundle is older than what was seen.');
  }
  const isMet = policy.isMetBy([...last.cosigners.keys()]);
  faultUnless(isMet, 'quorum', bundle.size, 'The last checkpoint lacks cosignatures.');
  const { notBefore } = run.options;
  const witnessedAt = policy.witnessedAt(last.cosigners);
  const time = witnessedAt === null ? last.time : witnessedAt * SECOND;
  const isFresh = notBefore === null || time >= notBefore;
  faultUnless(isFresh, 'stale', bundle.size, 'The last checkpoint is too old.');
  run.reached = time > last.time ? time : last.time;
  for (const receipt of receipts) checkReceipt(run, receipt);
  if (seen.length > 0) run.checked.push(`checkpoints seen before: ${seen.length}`);
  if (receipts.length > 0) run.checked.push(`receipts: ${receipts.length}`);
  if (policy.quorum === 'none') notChecked.push(NO_WITNESS);
  else run.checked.push(`quorum: met by ${last.cosigners.size} witnesses`);
}

/** Section 11: before the deadline, what the receipt promises may still be missing. */
function checkReceipt({ log, last, reached }, { first, leaves, deadline }) {
  const isDue = reached >= deadline;
  const size = isDue ? last.size : log.size;
  leaves.forEach((leaf, at) => {
    const index = first + at;
    const isThere = index < size ? log.leaf(index).equals(leaf) : !isDue;
    faultUnless(isThere, 'receipt', index, 'The log lacks what its operator gave a receipt for.');
  });
}

/** Section 12, step 9. Commitments without a line, and erased ones, are named. */
function checkPeople(run) {
  const bytes = run.files.get('data/people.jsonl');
  const untold = new Set(run.log.commitments);
  let [named, erased] = [0, 0];
  for (const { start, end } of lineBounds(bytes)) {
    const person = JSON.parse(bytes.toString('utf8', start, end));
    within('person', null, () => checkPerson(run, person));
    untold.delete(person.commitment);
    if (person.name === undefined) erased += 1;
    else named += 1;
  }
  run.checked.push(`people: ${named} names with their commitments`);
  if (erased > 0) run.notChecked.push(`${erased} people whose names were erased`);
  if (untold.size > 0) run.notChecked.push(`${untold.size} people whose names are not told`);
}

function checkPerson({ bundle, log }, { commitment, name, salt, erased }) {
  if (name === undefined) {
    const event = log.event(erased);
    const isErasure = event?.type === 'PersonErased' && event.data.person === commitment;
    refuseUnless(isErasure, 'The log does not say that the person was erased.');
    return;
  }
  const text = `accord/person@v1\n${bundle.partnership}\n${salt}\n${name}`;
  refuseUnless(commitment === `person:${sha256Hex(text)}`, 'A name is not the one committed to.');
}

/** Section 3: the log keeps that this was exported. */
function checkCustody({ bundle, log, checked, notChecked }) {
  const { custody } = bundle;
  if (custody === null) {
    notChecked.push('custody: the log does not keep that this was exported');
    return;
  }
  const event = log.event(custody);
  const isKept =
    event?.type === 'BundleExported' &&
    event.actor === bundle.exported_by &&
    event.recorded_at === bundle.exported_at &&
    event.data.reason === bundle.reason &&
    (bundle.for === null ? !Object.hasOwn(event.data, 'party') : event.data.party === bundle.for);
  faultUnless(isKept, 'custody', custody, 'The log does not keep that this was exported so.');
  checked.push('custody: the log keeps that this was exported');
}

/** What no check of this verifier proves. */
function nameTheRest({ notChecked }) {
  notChecked.push("rejected.jsonl: what was refused is the operator's word", MEANING);
}

// ---------------------------------------------------------------------------------------------
// What a verifier says (section 12)
// ---------------------------------------------------------------------------------------------

/** The order of checks, which decides what fault is the first. */
const STEPS = [
  ['bag', openContainer],
  ['malformed', readJsonFiles],
  ['identity', checkIdentity],
  ['event', readEvents],
  ['checkpoint-malformed', checkCheckpoints],
  ['proof', checkProofs],
  ['command-malformed', checkCommands],
  ['quorum', checkUserEvidence],
  ['person', checkPeople],
  ['custody', checkCustody],
  ['custody', nameTheRest],
];

const MEANING =
  'what the events mean: no figure, statement or alert was computed; ' +
  'accord audit replay FILE.zip computes them';

const NO_WITNESS =
  'whether the operator shows others another history, and its times: the policy asks for no witness';

const NOT_PINNED = "log and quorum were not pinned: the policy is the operator's own";

/**
 * Verifies a bundle.
 *
 * `options`: `policy` and `pins` (bytes of the user's own, or null), `seen` and `receipts` (arrays of
 * bytes), `notBefore` (a moment as text, or null). Gives the object that `--json` prints; throws
 * where the user's own files are not understood.
 */
export function verify(buffer, options = {}) {
  const { policy = null, pins = null, seen = [], receipts = [], notBefore = null } = options;
  if (notBefore !== null && !isMoment(notBefore)) throw new UserError('--not-before: no moment.');
  const run = {
    zip: Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength),
    options: { seen, receipts, notBefore: moment(notBefore) },
    policy: policy === null ? null : withinUserFile('policy', () => new Policy(policy)),
    pins: withinUserFile('pins', () => new Pins(pins ?? Buffer.alloc(0))),
    bundle: null,
    checked: [],
    notChecked: policy === null ? [NOT_PINNED] : [],
  };
  return report(run, policy !== null, firstFault(run));
}

function firstFault(run) {
  try {
    for (const [code, step] of STEPS) within(code, null, () => step(run));
    return null;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

function report({ bundle, checked, notChecked }, pinned, fault) {
  const holds = pinned ? 'All that was checked holds.' : 'All that was checked holds, unpinned.';
  return {
    verdict: fault === null ? 'VERIFIED' : 'FAULT',
    code: fault?.code ?? null,
    index: fault?.index ?? null,
    detail: fault?.message ?? holds,
    origin: bundle?.origin ?? null,
    size: bundle?.size ?? null,
    pinned,
    checked,
    not_checked: notChecked,
  };
}

function asText({ code, index, detail, checked, not_checked: notChecked }) {
  const place = index === null ? '' : ` at ${index}`;
  const lines = [code === null ? 'VERIFIED' : `FAULT ${code}${place}`, detail];
  const list = (items) => (items.length === 0 ? ['  nothing'] : items.map((item) => `  ${item}`));
  lines.push('Checked:', ...list(checked), 'Not checked:', ...list(notChecked));
  return lines.join('\n');
}

const USAGE =
  'verify.mjs FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]... ' +
  '[--not-before MOMENT] [--json]';

function parseArguments(words) {
  const found = { files: [], policy: [], pins: [], seen: [], receipt: [], 'not-before': [], json: false };
  for (let at = 0; at < words.length; at += 1) {
    const option = /^--(policy|pins|seen|receipt|not-before)$/.exec(words[at])?.[1];
    if (words[at] === '--json') found.json = true;
    else if (option === undefined) found.files.push(words[at]);
    else found[option].push(words[(at += 1)]);
  }
  const given = [found.policy, found.pins, found['not-before'], found.seen, found.receipt].flat();
  const isComplete = !given.includes(undefined) && !found.files.some((word) => /^-/.test(word));
  const single = [found.policy, found.pins, found['not-before']];
  const isSingle = single.every(({ length }) => length <= 1);
  if (!isComplete || !isSingle || found.files.length !== 1) throw new UserError(`usage: ${USAGE}`);
  return found;
}

/** The bytes of a file the user names. A bundle beyond the limits is not read, and is none. */
function readUserFile(path) {
  try {
    const file = openSync(path);
    const isTooLarge = fstatSync(file).size > LARGEST_ZIP;
    const bytes = isTooLarge ? Buffer.alloc(0) : readFileSync(file);
    closeSync(file);
    return bytes;
  } catch (error) {
    throw new UserError(`${path}: ${error.code ?? 'cannot be read'}`);
  }
}

function main(words) {
  try {
    const found = parseArguments(words);
    const result = verify(readUserFile(found.files[0]), {
      policy: found.policy.length === 0 ? null : readUserFile(found.policy[0]),
      pins: found.pins.length === 0 ? null : readUserFile(found.pins[0]),
      seen: found.seen.map(readUserFile),
      receipts: found.receipt.map(readUserFile),
      notBefore: found['not-before'][0] ?? null,
    });
    process.stdout.write(`${found.json ? canonical(result) : asText(result)}\n`);
    process.exitCode = result.code === null ? 0 : 3;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

/** Whether this file is run, and not imported. */
function isScript() {
  try {
    return fileURLToPath(import.meta.url) === realpathSync(process.argv[1]);
  } catch {
    return false;
  }
}

if (isScript()) main(process.argv.slice(2));
