// Bindings: the registrar's word that a log origin belongs to a device key, at a site.
import { AgentError } from '../errors/agent-error.ts';
import type { Envelope } from '../wire/dsse.ts';
import { keyidOf } from '../wire/keys.ts';
import type { Binding } from '../wire/schemas/enrolment.ts';
import type { Root } from '../wire/schemas/root.ts';
import { openDocument, type Opened } from './open-document.ts';
import type { RoleOptions } from './verify-role.ts';
import { assertStrictKey } from './verify-signature.ts';

/** The origin of an appliance's log in one epoch: `<domain>/<appliance_id>/<epoch>`. */
export function originOf(root: Root, applianceId: string, epoch: number): string {
  return `${root.log_domain}/${applianceId}/${epoch}`;
}

/**
 * Verifies a binding and that it does not contradict itself or the root.
 *
 * @throws the errors of openDocument; binding_invalid; key_invalid
 */
export function openBinding(root: Root, source: string | Envelope, o: RoleOptions = {}): Opened<'binding'> {
  const opened = openDocument(root, 'registrar', 'binding', source, o);
  assertStrictKey(opened.value.device_spki, o.place);
  const problem = bindingProblem(root, opened.value);
  if (problem !== null) {
    throw new AgentError('binding_invalid', problem, o.place === undefined ? {} : { place: o.place });
  }
  return opened;
}

function bindingProblem(root: Root, binding: Binding): string | null {
  if (binding.partner_id !== root.partner_id) return 'the binding is of another partner';
  if (binding.origin !== originOf(root, binding.appliance_id, binding.epoch)) {
    return `the origin ${binding.origin} does not follow from domain, appliance and epoch`;
  }
  if ((binding.deployment_mode === 'reseller') !== (binding.reseller_id !== undefined)) {
    return 'reseller_id belongs to deployment mode reseller and to no other';
  }
  if (binding.previous?.origin === binding.origin) return 'the binding names itself as its predecessor';
  const deviceKeyid = keyidOf(binding.device_spki);
  const named = [...root.keys, ...root.past_keys].some((key) => key.keyid === deviceKeyid);
  return named ? 'the device key is a key of the root' : null;
}
