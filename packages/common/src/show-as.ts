/** What people see of an object in a terminal. */

/**
 * Has `console.log` and `util.inspect` show an object by the words of `show`. Not by a method of its class: the method's name is a
 * symbol of Node's, which published types do not know.
 *
 * @param prototype - of the class
 * @param show - of an instance; of what is none, such as the prototype itself, only the name of the class is shown
 */
export function showAs<Instance extends object>(
  prototype: Instance,
  show: (instance: Instance) => string,
): void {
  const inspect = function (this: Instance): string {
    try {
      return show(this);
    } catch {
      return `[${prototype.constructor.name}]`;
    }
  };
  Object.defineProperty(prototype, Symbol.for('nodejs.util.inspect.custom'), { value: inspect });
}
