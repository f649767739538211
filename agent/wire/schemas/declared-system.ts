// A system that people signed for an appliance: which one exactly, and what is to run on it. Stands in orders and in baselines.
import * as v from 'valibot';

/** A path of the Nix store, as it names a whole system with everything that it needs. */
export const storePath = v.pipe(
  v.string(),
  v.regex(/^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[A-Za-z0-9+._?=-]{1,200}$/, 'must be a path of the Nix store'),
);

/** SHA-256 of the path's archive as `nix-store --query --hash` prints it: 52 digits of Nix's base 32. */
const narHash = v.pipe(
  v.string(),
  v.regex(/^sha256:[01][0-9a-df-np-sv-z]{51}$/, 'must be a hash as nix-store --query --hash prints it'),
);

/** As the agent says it of itself (`compliance-agent version`). */
const agentVersion = v.pipe(
  v.string(),
  v.regex(/^[0-9]{1,6}(?:\.[0-9]{1,6}){2}(?:-[0-9A-Za-z.-]{1,40})?$/, 'must be the version of an agent, such as 1.4.0'),
);

/** What makes a system exact beside its path. */
export const systemMarks = { nar_hash: narHash, agent_version: agentVersion };

export const declaredSystem = v.strictObject({ closure: storePath, ...systemMarks });
export type DeclaredSystem = v.InferOutput<typeof declaredSystem>;
