/** What people see of an object in a terminal. */

/**
 * Has `console.log` and `util.inspect` show an object by the words of `show`. Not by a method of its class: the method's name is a
 * symbol of Node's, which published types do not know.
 *
 * @param shown - the prototype of a class, for all its instances; or one instance, by its constructor: a bundler cannot leave a class out
 *   that has a static block
 * @param show - of an instance; of what is none, such as the prototype itself, only the name of the class is shown
 */
export function showAs<Instance extends object>(shown: Instance, show: (instance: Instance) => string): void {
  const inspect = function (this: Instance): string {
    try {
      return show(this);
    } catch {
      return `[${shown.constructor.name}]`;
    }
  };
  Object.defineProperty(shown, Symbol.for('nodejs.util.inspect.custom'), { value: inspect });
}
