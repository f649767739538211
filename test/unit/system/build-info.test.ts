import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBuildInfo } from '../../../agent/system/build-info.ts';

const HASH = '0c5xk3s1p8v2zy9n4w7qd6mfgbhlrj0a';
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'build-info-'));
  writeFileSync(join(dir, 'package.json'), '{"version":"1.2.3"}');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A system closure as NixOS links it. */
function system(storeName: string, version: string): string {
  const [closure, link] = [join(dir, storeName), join(dir, 'current-system')];
  mkdirSync(closure);
  writeFileSync(join(closure, 'nixos-version'), version);
  symlinkSync(closure, link);
  return link;
}

describe('what the agent says of its system', () => {
  it.each(['26.05.20260914.3ff0e34b1383', '26.05pre-git', '25.11'])(
    'is the revision %s and the hash of the closure',
    (version) => {
      const link = system(`${HASH}-nixos-system-clinic-${version}`, `${version}\n`);
      expect(readBuildInfo(dir, link)).toEqual({ version: '1.2.3', nixosRevision: version, derivationDigest: HASH });
    },
  );

  it('never holds the name of the host, which may be that of a person', () => {
    const link = system(`${HASH}-nixos-system-dr-vanterpool-26.05`, '26.05');
    expect(JSON.stringify(readBuildInfo(dir, link))).not.toContain('vanterpool');
  });

  it('is nothing where the files say something else', () => {
    const link = system('nixos-system-of-quorra', 'Quorra Vanterpool 1961-03-05');
    expect(readBuildInfo(dir, link)).toEqual({ version: '1.2.3', nixosRevision: null, derivationDigest: null });
  });

  it('is nothing on other systems', () => {
    expect(readBuildInfo(dir, join(dir, 'nowhere'))).toMatchObject({ nixosRevision: null, derivationDigest: null });
  });
});
