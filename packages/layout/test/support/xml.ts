/** A strict reader for the little of XML that the pictures use: throws where they are not well-formed. */

const TOKEN = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y;
const ENTITIES = /&(?!(?:amp|lt|gt|quot|apos|#\d+);)/;

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Text directly inside, unescaped. */
  text: string;
}

/** All elements in document order. */
export function readXml(xml: string): XmlElement[] {
  const elements: XmlElement[] = [];
  const open: XmlElement[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(xml);
    if (match === null) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 80)}`);
    const [, slash, name = '', attributeText = '', selfClosing, text] = match;
    if (text !== undefined) {
      readText(text, open.at(-1));
    } else if (slash === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes nothing at ${at}`);
    } else {
      const element = { name, attributes: readAttributes(attributeText), text: '' };
      if (open.length === 0 && elements.length > 0) throw new Error('two roots');
      elements.push(element);
      if (selfClosing !== '/') open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`left open: ${open.map((element) => element.name).join(' ')}`);
  return elements;
}

function readText(text: string, parent: XmlElement | undefined): void {
  if (parent === undefined && text.trim() !== '') throw new Error(`text outside the root: ${text}`);
  if (parent !== undefined) parent.text += unescape(text);
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([\w:-]+)="([^"]*)"/g)) {
    if (name in attributes) throw new Error(`attribute ${name} twice`);
    attributes[name] = unescape(value);
  }
  return attributes;
}

function unescape(text: string): string {
  if (ENTITIES.test(text)) throw new Error(`bare & in: ${text}`);
  // oxlint-disable-next-line no-control-regex -- XML 1.0 forbids these
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text)) throw new Error('control character');
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}
