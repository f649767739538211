// What an image was built with: a file that iso/installer.nix writes. Strict, and every mistake names its path.
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { sha256Hex as digestOf } from '../../agent/wire/digest.ts';
import { sha256Hex } from '../../agent/wire/schemas/primitives.ts';

const absolute = v.pipe(
  v.string(),
  v.regex(/^\/[A-Za-z0-9._+/-]+$/, 'must be an absolute path'),
  v.check((path) => !path.split('/').includes('..'), 'must not lead upwards'),
);

const settingsSchema = v.strictObject({
  schema: v.literal('compliance-agent/installer-settings/v1'),
  /** The closure that is installed: the system's path in the store of the stick. */
  system: absolute,
  partner_file: absolute,
  /** Digest of the partner's trust root, from outside of the file. */
  root_sha256: sha256Hex,
  /** Where the agent of that system looks for provisioning files, and the group that may read them. */
  provision_dir: absolute,
  provision_gid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Label of the stick's file system. */
  boot_label: v.pipe(v.string(), v.regex(/^[A-Z0-9_-]{1,32}$/)),
  /** Folders of the tools, searched in this order and nowhere else. */
  tool_path: v.pipe(v.array(absolute), v.minLength(1)),
});
export type InstallerSettings = v.InferOutput<typeof settingsSchema>;

/** @throws installer_settings_invalid */
export function parseSettings(text: string, place: string): InstallerSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AgentError('installer_settings_invalid', 'the file is no JSON', { place });
  }
  const result = v.safeParse(settingsSchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new AgentError('installer_settings_invalid', issue.message, {
    place: `${place}: ${v.getDotPath(issue) ?? ''}`,
  });
}

/** The same for every stick of one image: its system and its partner. 16 hex digits. */
export const installIdOf = (settings: InstallerSettings, partnerDigest: string): string =>
  digestOf(Buffer.from(`${settings.system}\n${partnerDigest}`)).slice(0, 16);
