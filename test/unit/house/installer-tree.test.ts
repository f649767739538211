// The installer as a stick runs it: JavaScript beside the tree of the agent, judging what its image was built with.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installerTree } from '../../../tools/installer-tree.ts';
import { stripTree } from '../../../tools/strip-types.ts';
import { partnerFile } from '../../support/partner-fixtures.ts';

const REPO = join(import.meta.dirname, '../../..');
const EXAMPLE = join(REPO, 'iso/example');

describe('the installer program', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'installer-tree-'));
    const lib = join(dir, 'agent/lib/compliance-agent');
    mkdirSync(lib, { recursive: true });
    stripTree(lib);
    symlinkSync(join(REPO, 'node_modules'), join(lib, 'node_modules'));
    installerTree(process.execPath, join(dir, 'agent'), join(dir, 'installer'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const check = (change: object) => {
    const settings = {
      schema: 'compliance-agent/installer-settings/v1',
      system: '/nix/store/abc-nixos-system',
      partner_file: join(EXAMPLE, 'partner.json'),
      root_sha256: readFileSync(join(EXAMPLE, 'root.sha256'), 'utf8').trim(),
      provision_dir: '/var/lib/compliance-agent-provision',
      provision_gid: 396,
      boot_label: 'CLINICINST',
      tool_path: ['/nix/store/abc/bin'],
      ...change,
    };
    writeFileSync(join(dir, 'settings.json'), JSON.stringify(settings));
    const { status, stderr } = spawnSync(
      join(dir, 'installer/bin/compliance-installer'),
      ['--check', join(dir, 'settings.json')],
      { encoding: 'utf8' },
    );
    return { status, code: /installer: (\w+):/.exec(stderr)?.[1] ?? stderr };
  };

  it('takes the example that the image of this repository is built with', () => {
    expect(check({})).toEqual({ status: 0, code: '' });
    expect(readFileSync(join(EXAMPLE, 'partner.json'), 'utf8')).toBe(partnerFile().text);
  });

  it.each([
    ['the digest of another root', { root_sha256: 'ab'.repeat(32) }, 4, 'root_digest_mismatch'],
    ['a setting that does not fit', { system: 'nixos-system' }, 2, 'installer_settings_invalid'],
    ['a file of a partner that is none', { partner_file: join(REPO, 'package.json') }, 4, 'json_not_strict'],
  ])('ends the build of an image with %s', (_what, change, status, code) => {
    expect(check(change)).toEqual({ status, code });
  });
});
