/** What package.json, its lock file and the compiler's projects owe to whoever installs or clones coppice. */
export interface Package {
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly exports: unknown;
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
  readonly optionalDependencies?: Versions;
  readonly peerDependencies?: Versions;
}
type Versions = Readonly<Record<string, string>>;

export interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly resolved?: string;
        readonly integrity?: string;
        readonly link?: boolean;
        readonly dependencies?: Versions;
        readonly devDependencies?: Versions;
      }
    >
  >;
}

/** Every path an exports map leads to, whatever the conditions. */
export function targets(exported: unknown): string[] {
  if (typeof exported === 'string') return [exported];
  return typeof exported === 'object' && exported !== null ? Object.values(exported).flatMap(targets) : [];
}

/** What a built file is built from. */
export const sourceOf = (target: string): string =>
  target.replace(/^\.\/dist\//, './src/').replace(/(?:\.d\.ts|\.js)$/, '.ts');

export function exportFaults(pkg: Pick<Package, 'exports'>, exists: (path: string) => boolean): string[] {
  return targets(pkg.exports)
    .filter((target) => !exists(sourceOf(target)))
    .map(
      (target) =>
        `package.json exports ${target}, and there is no ${sourceOf(target)} to build it from. Whoever imports it gets an error: write that file or take the entry out.`,
    );
}

/** A range lets npm on an older Node pick an older major, without a word. */
export function looseFaults(pkg: Pick<Package, 'dependencies' | 'devDependencies'>): string[] {
  return Object.entries({ ...pkg.dependencies, ...pkg.devDependencies })
    .filter(([, version]) => !/^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(
      ([name, version]) =>
        `${name} is wanted as "${version}", which is a range. npm on an older Node picks older majors for it: write the exact version.`,
    );
}

/** The Node of a clone comes with tools/node; whoever installs coppice has one. */
export function nodeBinaryFaults(pkg: Partial<Package>): string[] {
  const groups = [pkg.dependencies, pkg.devDependencies, pkg.optionalDependencies, pkg.peerDependencies];
  return groups
    .flatMap((group) => Object.keys(group ?? {}))
    .filter((name) => /^node(-bin)?(-(linux|darwin|win)\b.*)?$/.test(name))
    .map(
      (name) =>
        `package.json depends on ${name}, 120 MB that every user would download although they run Node already: it belongs into tools/node/package.json.`,
    );
}

export function lockFaults(pkg: Pick<Package, 'dependencies' | 'devDependencies'>, lock: Lock): string[] {
  return [...addressFaults(lock), ...fingerprintFaults(lock), ...driftFaults(pkg, lock)];
}

const addressFaults = ({ packages }: Lock): string[] =>
  Object.entries(packages)
    .filter(([, { resolved, link }]) => resolved !== undefined && !link)
    .map(
      ([name, { resolved }]) =>
        `package-lock.json fetches ${name} from ${resolved}. It must name no registry, so that \`npm ci\` asks that of whoever runs it: write it with the .npmrc of this project.`,
    );

const fingerprintFaults = ({ packages }: Lock): string[] =>
  Object.entries(packages)
    .filter(([name, { integrity, link }]) => name.includes('node_modules/') && !link && !integrity)
    .map(
      ([name]) =>
        `package-lock.json knows no fingerprint of ${name}: anything could be installed in its place. Write the lock file again.`,
    );

function driftFaults(pkg: Pick<Package, 'dependencies' | 'devDependencies'>, { packages }: Lock): string[] {
  const root = { ...packages['']?.dependencies, ...packages['']?.devDependencies };
  const wanted: Versions = { ...pkg.dependencies, ...pkg.devDependencies };
  return [...new Set([...Object.keys(root), ...Object.keys(wanted)])]
    .filter(
      (name) =>
        root[name] !== wanted[name] || !isLocked(packages[`node_modules/${name}`]?.version, wanted[name]),
    )
    .map(
      (name) =>
        `package.json and package-lock.json disagree about ${name}: \`npm ci\` refuses that. Run \`npm install --package-lock-only\` under Node 24.`,
    );
}

const isLocked = (locked: string | undefined, wanted: string | undefined): boolean =>
  locked !== undefined && wanted !== undefined && (wanted === locked || wanted.endsWith(`@${locked}`));

export interface Project {
  readonly compilerOptions: { readonly lib?: readonly string[]; readonly types?: readonly string[] };
  readonly include?: readonly string[];
}

/** The compiler keeps Node and the DOM out of the rooms that decide; only with these settings it does. */
export function storey0Faults({ compilerOptions: { lib, types }, include = [] }: Project): string[] {
  const teach = 'The compiler is what keeps Node and the DOM out of the rooms that decide';
  const rooms = ['src/machines/', 'src/supervisor/', 'src/bus/', 'src/errors.ts'];
  return [
    ...(types?.length === 0
      ? []
      : [
          `tsconfig.storey0.json must have "types": []. ${teach}: with a package of types in, \`process\` compiles.`,
        ]),
    ...(lib?.length === 1 && lib[0] === 'ES2023'
      ? []
      : [
          `tsconfig.storey0.json must have "lib": ["ES2023"] alone. ${teach}: with DOM in, \`document\` and \`setTimeout\` compile.`,
        ]),
    ...rooms
      .filter((room) => !include.some((pattern) => pattern.startsWith(room)))
      .map(
        (room) => `tsconfig.storey0.json must include ${room}. ${teach}, and it sees only what is included.`,
      ),
  ];
}
