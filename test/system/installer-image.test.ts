// The image of the installer without NixOS: its module is evaluated and nothing is built.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ESP_FOLDER, ESP_LABEL, MAPPER_NAME, ROOT_NAME, UNLOCK_FILE } from '../../iso/installer/layout.ts';
import { parseSettings } from '../../iso/installer/settings.ts';
import { nixInstantiate, nixpkgsProblem, nixProblem } from '../../tools/evaluate-module.ts';

const REPO = join(import.meta.dirname, '../..');
const nix = nixProblem();
const nixFiles = readdirSync(join(REPO, 'iso')).filter((name) => name.endsWith('.nix'));

/** What a module gives is read as it is, `mkForce` and `mkDefault` shown with their priorities; packages are names. */
const expression = (lib: string, root = 'rootSha256'): string => `
  let
    rootSha256 = builtins.head (builtins.split "\\n" (builtins.readFile ${REPO}/iso/example/root.sha256));
    lib = ${lib};
    made = name: { type = "derivation"; inherit name; outPath = "/nix/store/\${name}"; outputName = "out"; };
    pkgs = builtins.listToAttrs (map (name: { inherit name; value = made name; }) [
      "age" "bash" "coreutils" "cryptsetup" "dosfstools" "e2fsprogs" "gptfdisk" "nixos-install-tools" "systemd" "util-linux" "terminus_font"
    ]) // { # Its path is its content here: so it is seen in what refers to it.
      runCommandLocal = name: attributes: script: made name // { outPath = attributes.text; }; };
    appliance.config = {
      system.build.toplevel = made "nixos-system";
      services.compliance-agent = { stateDir = "/var/lib/compliance-agent"; configStick.enable = true; rootSha256 = ${root}; };
      users.groups.compliance-agent.gid = 396;
    };
    image = import ${REPO}/iso {
      nixpkgs.lib.nixosSystem = { system, modules }: { inherit system modules; };
      system = "x86_64-linux";
      inherit appliance;
      installer = made "compliance-installer";
      partnerFile = ${REPO}/iso/example/partner.json;
      inherit rootSha256;
    };
    config = { nix.package = made "nix"; };
    module = builtins.head image.modules { inherit lib pkgs config; modulesPath = "/modules"; };
    profile = import (builtins.elemAt image.modules 1) { inherit lib; };
  in { inherit module profile; modules = builtins.length image.modules; inherit (image) system; }
`;
const TINY = `{ mkForce = v: { forced = v; }; mkDefault = v: v; getBin = package: package.outPath; }`;

interface Image {
  readonly module: {
    readonly assertions: readonly { readonly assertion: boolean }[];
    readonly imports: readonly string[];
    readonly isoImage: Readonly<Record<string, unknown>>;
    readonly services: { readonly openssh: { readonly enable: boolean } };
    readonly users: { readonly users: { readonly root: { readonly hashedPassword: string } } };
    readonly systemd: {
      readonly services: Readonly<Record<string, { enable?: boolean; serviceConfig: Record<string, unknown> }>>;
    };
    readonly boot: { readonly initrd: { readonly systemd: Record<string, unknown> } };
    readonly nix: { readonly settings: Record<string, unknown> };
  };
  readonly profile: { readonly boot: { readonly kernelModules: readonly string[] } };
  readonly modules: number;
}

describe('the files of iso/', () => {
  beforeEach((context) => context.skip(nix !== null, nix ?? ''));

  it.each(nixFiles)('%s is Nix', (file) => {
    expect(nixInstantiate('--parse', `iso/${file}`)).not.toBe('');
  });
});

describe('what the appliance knows of its installer', () => {
  const texts = readdirSync(join(REPO, 'nix'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.nix') && !name.startsWith('eval/') && !name.startsWith('tests/'))
    .map((name) => ({ name, text: readFileSync(join(REPO, 'nix', name), 'utf8') }));
  const textOf = (wanted: string): string => texts.find(({ name }) => name === wanted)?.text ?? '';

  it('is nothing: no part of an installed system is made of it', () => {
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.filter(({ text }) => /\.\.\/iso|compliance-installer/.test(text)).map(({ name }) => name)).toEqual([]);
  });

  it('is a handful of names on the disk, the same on both sides', () => {
    expect(textOf('appliance.nix')).toContain(`device = "/dev/disk/by-partlabel/${ROOT_NAME}"`);
    expect(textOf('appliance.nix')).toContain(`luks.devices.${MAPPER_NAME} =`);
    expect(textOf('appliance.nix')).toContain(`device = "/dev/mapper/${MAPPER_NAME}"`);
    expect(textOf('appliance.nix')).toContain(`device = "/dev/disk/by-label/${ESP_LABEL}"`);
    expect(textOf('first-boot.nix')).toContain(`device = "/dev/disk/by-partlabel/${ROOT_NAME}"`);
    expect(textOf('first-boot.nix')).toContain(`keyFile = "${ESP_FOLDER}/${UNLOCK_FILE}"`);
  });
});

describe.each([
  { lib: 'a few words of lib', text: TINY, problem: nix },
  { lib: "nixpkgs' lib", text: `import ${process.env['NIXPKGS_LIB'] ?? '/none'}`, problem: nixpkgsProblem() },
])('the image of the installer, evaluated with $lib', ({ text, problem }) => {
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));
  const evaluate = (root?: string): Image =>
    JSON.parse(nixInstantiate('--eval', '--strict', '--json', '--expr', expression(text, root))) as Image;
  /** What `mkForce` holds. */
  const forced = (value: unknown): unknown => {
    const { forced: tiny, content } = value as { forced?: unknown; content?: unknown };
    return tiny ?? content ?? null;
  };

  it('is no live system: no shell, no login, no server, no channel, and one program on its console', () => {
    const { module, profile } = evaluate();
    expect(module.imports).toEqual(['/modules/installer/cd-dvd/iso-image.nix', '/modules/profiles/minimal.nix']);
    expect(module.services.openssh.enable).toBe(false);
    expect(module.users.users.root.hashedPassword).toBe('!');
    const off = ['getty@', 'autovt@', 'serial-getty@'].map((name) => module.systemd.services[name]?.enable);
    expect(off).toEqual([false, false, false]);
    expect(JSON.stringify(module.boot.initrd.systemd['emergencyAccess'])).toContain('false');
    expect(JSON.stringify(module.nix.settings['substituters'])).toContain('[]');
    const { serviceConfig } = module.systemd.services['compliance-installer']!;
    expect(serviceConfig).toMatchObject({ TTYPath: '/dev/tty1', StandardInput: 'tty-force', Restart: 'on-failure' });
    expect(profile.boot.kernelModules).toContain('sp5100_tco');
  });

  it('is not built for an appliance of another trust root, or of none', () => {
    const holds = (root?: string): boolean[] => evaluate(root).module.assertions.map(({ assertion }) => assertion);
    expect([holds(), holds('"other"'), holds('null')]).toEqual([[true], [false], [false]]);
  });

  it('puts no old array or volume group together, which could then not be erased', () => {
    const { services, boot } = evaluate().module as unknown as {
      services: { lvm: { enable: unknown } };
      boot: { swraid: { enable: unknown } };
    };
    for (const value of [services.lvm.enable, boot.swraid.enable]) expect(JSON.stringify(value)).toContain('false');
  });

  it('carries the appliance in its store, bears the label that the installer knows its stick by, and boots by UEFI', () => {
    const { module, modules } = evaluate();
    expect(module.isoImage).toMatchObject({
      volumeID: 'CLINICINST',
      makeEfiBootable: true,
      makeUsbBootable: true,
      storeContents: ['/nix/store/nixos-system'],
    });
    expect([modules, forced((module as unknown as { image: { baseName: unknown } }).image.baseName)]).toEqual([
      2,
      'compliance-agent-installer',
    ]);
  });

  it('hands the installer settings that it reads, each tool by its path in the store', () => {
    const start = String(evaluate().module.systemd.services['compliance-installer']!.serviceConfig['ExecStart']);
    const program = '/nix/store/compliance-installer/bin/compliance-installer ';
    expect(start.startsWith(program)).toBe(true);
    const read = parseSettings(start.slice(program.length), 'settings');
    expect(read).toMatchObject({
      system: '/nix/store/nixos-system',
      provision_dir: '/var/lib/compliance-agent-provision',
      provision_gid: 396,
      boot_label: 'CLINICINST',
      root_sha256: readFileSync(join(REPO, 'iso/example/root.sha256'), 'utf8').trim(),
    });
    expect(read.tool_path).toEqual(
      [
        'age',
        'bash',
        'coreutils',
        'cryptsetup',
        'dosfstools',
        'e2fsprogs',
        'gptfdisk',
        'nixos-install-tools',
        'systemd',
        'util-linux',
        'nix',
      ].map((name) => `/nix/store/${name}/bin`),
    );
  });
});
