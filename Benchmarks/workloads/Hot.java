// SPDX-License-Identifier: MIT
/** Keeps HotSpot's compilers busy: many small methods become hot one after the other. */
public class Hot {
    interface Step { int apply(int x); }

    public static void main(String[] arguments) {
        long total = 0;
        for (int round = 0; round < Integer.parseInt(arguments[0]); round++) {
            final int k = round % 64;
            Step step = switch (k % 4) {
                case 0 -> x -> (x * 31 + k) % 1000003;
                case 1 -> x -> (x ^ (x >>> 3)) + k;
                case 2 -> x -> Integer.rotateLeft(x, k & 31);
                default -> x -> x / (k + 1) + 7;
            };
            int x = round;
            for (int i = 0; i < 100_000; i++) x = step.apply(x);
            total += x;
        }
        System.out.println(total);
    }
}
