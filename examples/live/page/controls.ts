/** The controls: what is set by them goes to the front, and what others have set comes back. */
import { type PageOrder, type Settings, type Side, sides } from '../protocol/control.ts';
import { elementOf } from './elements.ts';

export class Controls {
  readonly #sliders = {
    editors: elementOf('#editors', HTMLInputElement),
    pace: elementOf('#pace', HTMLInputElement),
  };
  readonly #measure = elementOf('#measure', HTMLInputElement);

  /** @param onSide - told on which server the person wants to type */
  constructor(room: string, order: (order: PageOrder) => void, onSide: (side: Side) => void) {
    for (const name of ['editors', 'pace'] as const) {
      const slider = this.#sliders[name];
      slider.addEventListener('input', () => {
        this.#label(name);
        order({ kind: 'settings', [name]: Number(slider.value) });
      });
    }
    for (const radio of radiosOf('megabytes')) {
      radio.addEventListener('change', () => order({ kind: 'settings', megabytes: Number(radio.value) }));
    }
    for (const radio of radiosOf('side')) radio.addEventListener('change', () => onSide(this.side));
    const press = (id: string, what: () => PageOrder) =>
      elementOf(`#${id}`, HTMLButtonElement).addEventListener('click', () => order(what()));
    press('save-snapshot', () => ({ kind: 'save-snapshot', room }));
    press('kill-worker', () => ({ kind: 'kill-worker' }));
    press('kill-server', () => ({ kind: 'kill-server', side: this.side }));
  }

  get side(): Side {
    const chosen = radiosOf('side').find(({ checked }) => checked)?.value;
    return sides.find((side) => side === chosen) ?? 'worker';
  }

  get measures(): boolean {
    return this.#measure.checked;
  }

  show(settings: Settings): void {
    for (const name of ['editors', 'pace'] as const) {
      const slider = this.#sliders[name];
      // not under the hand of who moves it
      if (document.activeElement !== slider) slider.value = String(settings[name]);
      this.#label(name);
    }
    for (const radio of radiosOf('megabytes')) radio.checked = Number(radio.value) === settings.megabytes;
  }

  #label(name: 'editors' | 'pace'): void {
    const value = Number(this.#sliders[name].value).toLocaleString('en');
    elementOf(`#${name}-value`, HTMLOutputElement).value = value;
  }
}

function radiosOf(name: string): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)];
}
