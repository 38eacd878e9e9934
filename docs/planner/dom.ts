/** The few helpers over the DOM that the page needs. */

/** The element with an id, of a class; a page without it is a mistake of ours. */
export function byId<E extends Element>(id: string, type: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`The page has no ${type.name} with the id ${id}`);
  return element;
}

type Attributes = Readonly<Record<string, string | number>>;

/** An element of SVG. */
export function svg(name: string, attributes: Attributes, ...children: Element[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  return withAttributes(element, attributes, children);
}

/** An element of HTML. Children that are text are escaped by the DOM. */
export function html<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Element | string)[]
): HTMLElementTagNameMap[Name] {
  return withAttributes(document.createElement(name), attributes, children);
}

function withAttributes<E extends Element>(
  element: E,
  attributes: Attributes,
  children: (Element | string)[],
): E {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A count as a reader writes it: `12,345`. */
export function count(amount: number): string {
  return amount.toLocaleString('en');
}
