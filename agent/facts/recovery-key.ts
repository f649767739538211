// Reads the sealed recovery key that the installer left on the boot partition (docs/installer.md). It is read for Central Command; no
// check rests on it.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { readUnforgeableFile } from '../system/files.ts';
import { Unreadable, type Probe } from './probe.ts';
import { assertRootsOwn } from './root-facts.ts';

/** Where the installer leaves its files, with the boot partition mounted as appliances do. */
export const INSTALLER_FOLDER = '/boot/compliance-agent';
const SEALED_FILE = 'recovery.age';
const INSTALL_FILE = 'install.json';
/** What is larger is no recovery key; wire/age-file.ts has the same limit. */
const MAX_SEALED_BYTES = 16_384;
const MAX_INSTALL_BYTES = 16_384;
/** It changes with an installation only; the unit that reads it has other facts to read so often. */
const READ_EVERY_S = 600;

const installSchema = v.looseObject({
  luks_uuid: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
});

export interface RecoveryKeyFacts {
  /** Null on a machine that the installer did not install. */
  readonly key: {
    /** The file, byte for byte, in base64. Never anything but what age sealed. */
    readonly sealed: string;
    /** Of the volume that it opens; null where the installer's note of it cannot be read. */
    readonly luksUuid: string | null;
  } | null;
}

export interface RecoveryKeyPlace {
  readonly folder: string;
  /** Whose folder and files they have to be. */
  readonly rootUid: number;
}

/**
 * @param isSealed what a file of age is: anything else is not handed on, since it might be the key itself
 * @param place elsewhere than on an appliance in tests only
 */
export function recoveryKeyProbe(
  isSealed: (file: Uint8Array) => boolean,
  place: RecoveryKeyPlace = { folder: INSTALLER_FOLDER, rootUid: 0 },
): Probe<RecoveryKeyFacts> {
  return {
    name: 'recovery_key',
    asRoot: { everyS: READ_EVERY_S },
    read: () => Promise.resolve(readKey(isSealed, place)),
  };
}

/** @throws Unreadable */
function readKey(isSealed: (file: Uint8Array) => boolean, place: RecoveryKeyPlace): RecoveryKeyFacts {
  const file = readOwn(SEALED_FILE, MAX_SEALED_BYTES, place);
  if (file === null) return { key: null };
  if (!isSealed(file)) {
    throw new Unreadable('unparsable', `${join(place.folder, SEALED_FILE)} is not sealed by age to public keys`);
  }
  return { key: { sealed: file.toString('base64'), luksUuid: volumeIn(place) } };
}

function volumeIn(place: RecoveryKeyPlace): string | null {
  try {
    const note = readOwn(INSTALL_FILE, MAX_INSTALL_BYTES, place);
    const parsed = v.safeParse(installSchema, JSON.parse(note?.toString('utf8') ?? 'null'));
    return parsed.success ? parsed.output.luks_uuid : null;
  } catch {
    // It only helps people to find the right copy.
    return null;
  }
}

/** Null where there is none. @throws Unreadable */
function readOwn(name: string, maxBytes: number, { folder, rootUid }: RecoveryKeyPlace): Buffer | null {
  const path = join(folder, name);
  try {
    // Throws where this process may not look, rather than answer.
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return null;
    assertRootsOwn(folder, rootUid);
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry === undefined) return null;
    // Only root writes into this folder; a link of root's may lead to anything.
    if (!entry.isFile()) throw new Unreadable('untrusted', `${path} is not a plain file`);
    return readUnforgeableFile(path, maxBytes, rootUid);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    const code = error instanceof AgentError ? error.code : (error as NodeJS.ErrnoException).code;
    const detail = error instanceof Error ? error.message : String(error);
    if (code === 'EACCES' || code === 'EPERM' || code === 'file_denied') throw new Unreadable('denied', detail, error);
    if (code === 'file_permissions') throw new Unreadable('untrusted', `${path}: ${detail}`, error);
    throw error;
  }
}
