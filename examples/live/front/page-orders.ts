/** Reads what a page asks for; whatever is not an order is refused. */
import { limits, type PageOrder, type Settings, sides } from '../protocol/control.ts';
import { limits as serverLimits } from '../server/limits.ts';

/** @returns undefined for anything that is no order */
export function readOrder(text: string): PageOrder | undefined {
  let order: unknown;
  try {
    order = JSON.parse(text);
  } catch {
    return undefined; // not even JSON
  }
  if (typeof order !== 'object' || order === null || !('kind' in order)) return undefined;
  const fields = order as Record<string, unknown>;
  switch (order.kind) {
    case 'settings': {
      const settings: Partial<Settings> = {};
      for (const name of ['editors', 'pace', 'megabytes'] as const) {
        const value = fields[name];
        if (value === undefined) continue;
        if (typeof value !== 'number' || !(value >= 0 && value <= limits[name])) return undefined;
        settings[name] = name === 'pace' ? value : Math.round(value);
      }
      return { kind: 'settings', ...settings };
    }
    case 'save-snapshot':
      return typeof fields.room === 'string' && serverLimits.roomName.test(fields.room)
        ? { kind: 'save-snapshot', room: fields.room }
        : undefined;
    case 'kill-worker':
      return { kind: 'kill-worker' };
    case 'kill-server': {
      const side = sides.find((name) => name === fields.side);
      return side === undefined ? undefined : { kind: 'kill-server', side };
    }
    default:
      return undefined;
  }
}
