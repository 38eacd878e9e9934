/** The page that typedoc makes of a package, or of a class in it, as a path from the site's root. */
export function apiPage(packageName: string, className?: string): string {
  const name = packageName.replace('@', '_').replace('/', '_');
  return className === undefined ? `api/modules/${name}.html` : `api/classes/${name}.${className}.html`;
}
