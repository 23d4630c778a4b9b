// The types of leaderboards, which suite/analysis/leaderboard_summary.py writes.

/** The best entry at one task and length of a benchmark. */
interface WinnerData extends Interval {
  task: string;
  length: number;
  metric: string;
  line: string;
  tied: string[];
  next: string | null;
  gap: number | null;
  detectable: number | null;
  /** The tier of the leader, unless it was measured here, and its notes. */
  marks: string[];
}

/** The core table of one form of model. */
interface BlockData {
  form: string;
  tasks: string[];
  rows: {
    line: string;
    score: Interval | null;
    /** The mean rank, null for a self-reported entry. */
    rank: number | null;
    /** The mean of the primary metric over lengths, in the order of `tasks`. */
    tasks: number[];
    /** The smallest and the largest number of weights without embedding and head. */
    parameters: [least: number, most: number] | null;
    /** For each of the block's `costs`, its multiple of `vanilla`'s at each of `cost_lengths`. */
    costs: (number | null)[][];
    /** The width of the range of good learning rates in decades. */
    rates: number | null;
    /** The tier of the entry, unless it was measured here, and its notes. */
    marks: string[];
  }[];
  /** The titles of the relative costs; empty without probes. */
  costs: string[];
  cost_lengths: number[];
  /** The date and the machine of the costs. */
  cost_session: string;
  incomplete: [line: string, places: [task: string, length: number][]][];
  /** The places for which the benchmark states no reference score. */
  unscaled: [task: string, length: number][];
}

/** The leaderboard of a ranked benchmark. */
interface LeaderboardData {
  label: string;
  summary: string;
  machines: string[];
  latest: string;
  titles: Record<string, string>;
  winners: WinnerData[];
  blocks: BlockData[];
}
