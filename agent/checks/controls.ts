// Control maps: which requirement a check supports. Data; "supports", never "satisfies".
import * as v from 'valibot';
import { name, text, version } from '../wire/schemas/primitives.ts';
import { parseDataFile } from './data-file.ts';

const controlMapSchema = v.strictObject({
  schema: v.literal('compliance-agent/control-map/v1'),
  id: name,
  version,
  title: text(200),
  /** `proposed` requirements are not law. */
  status: v.picklist(['in_force', 'proposed']),
  lines: v.pipe(
    v.array(
      v.strictObject({
        cite: v.pipe(
          v.string(),
          v.regex(/^[0-9]{3}\.[0-9]{3}(?:\([0-9A-Za-z]{1,4}\))*$/, 'must be a citation like 164.312(b)'),
        ),
        title: text(120),
        /** Machine evidence never closes an administrative or a physical requirement. */
        safeguard: v.picklist(['technical', 'administrative', 'physical']),
        supported_by: v.pipe(
          v.array(v.strictObject({ check: name, role: v.picklist(['primary', 'supporting']) })),
          v.minLength(1),
          v.maxLength(32),
        ),
      }),
    ),
    v.minLength(1),
    v.maxLength(256),
    v.check((lines) => new Set(lines.map((line) => line.cite)).size === lines.length, 'a citation stands twice'),
  ),
});

export interface ControlMap {
  readonly id: string;
  readonly version: number;
  readonly title: string;
  readonly status: 'in_force' | 'proposed';
  readonly sha256: string;
  readonly lines: v.InferOutput<typeof controlMapSchema>['lines'];
}

/** As many as one entry takes (wire/schemas/entry.ts). */
const MAX_CONTROLS = 32;

/**
 * Reads `runbooks/controls/*.yaml`.
 *
 * @throws control_map_invalid with every mistake and its line
 */
export function parseControlMap(bytes: Uint8Array, place: string): ControlMap {
  const { value, sha256 } = parseDataFile(bytes, place, controlMapSchema, 'control_map_invalid');
  const { id, title, status, lines } = value;
  return { id, version: value.version, title, status, sha256, lines };
}

/** The requirements that a check supports, primary ones first, in the order of the maps. */
export function controlsOf(checkId: string, maps: readonly ControlMap[]): { map: string; cite: string }[] {
  const withRole = (role: 'primary' | 'supporting') =>
    maps.flatMap((map) =>
      map.lines
        .filter((line) => line.supported_by.some((s) => s.check === checkId && s.role === role))
        .map((line) => ({ map: map.id, cite: line.cite })),
    );
  return [...withRole('primary'), ...withRole('supporting')].slice(0, MAX_CONTROLS);
}
