// SPDX-License-Identifier: MIT
// Work for HotSpot's compilers: collections, strings, streams, virtual calls, regular expressions,
// and javac itself, which compiles this file (java Work.java) and the classes that it generates.
// Says "done PID RESULT" and waits for a line.
import java.net.URI;
import java.util.*;
import java.util.regex.*;
import java.util.stream.*;
import javax.tools.*;

public class Work {
    interface Shape { long area(); }
    record Square(long n) implements Shape { public long area() { return n * n; } }
    record Strip(long n, long m) implements Shape { public long area() { return n * m; } }
    record Point(long n) implements Shape { public long area() { return 1; } }

    static class Source extends SimpleJavaFileObject {
        final String text;
        Source(String name, String text) {
            super(URI.create("string:///" + name + ".java"), Kind.SOURCE);
            this.text = text;
        }
        @Override public CharSequence getCharContent(boolean ignore) { return text; }
    }

    static class Classes extends ClassLoader {
        final Map<String, java.io.ByteArrayOutputStream> made = new HashMap<>();
        @Override protected Class<?> findClass(String name) throws ClassNotFoundException {
            var bytes = made.get(name);
            if (bytes == null) throw new ClassNotFoundException(name);
            return defineClass(name, bytes.toByteArray(), 0, bytes.size());
        }
    }

    static long generated(int round) throws Exception {
        var text = new StringBuilder("public class G" + round + " {\n");
        for (int i = 0; i < 12; i++) {
            text.append("static long f" + i + "(long a, long b) { long s = " + round + "; for (int i = 0; i < 40; i++) s = (s * "
                + (31 + i) + " + a * i) ^ (b >> " + (i + 1) + "); return s; }\n");
        }
        text.append("public static long go() { long s = 0; for (int i = 0; i < 3000; i++) { s += ");
        text.append(IntStream.range(0, 12).mapToObj(i -> "f" + i + "(i, s)").collect(Collectors.joining(" ^ ")));
        text.append("; } return s; } }\n");

        var loader = new Classes();
        var compiler = ToolProvider.getSystemJavaCompiler();
        var files = new ForwardingJavaFileManager<>(compiler.getStandardFileManager(null, null, null)) {
            @Override public JavaFileObject getJavaFileForOutput(Location l, String name, JavaFileObject.Kind k, FileObject f) {
                return new SimpleJavaFileObject(URI.create("mem:///" + name), k) {
                    @Override public java.io.OutputStream openOutputStream() {
                        var bytes = new java.io.ByteArrayOutputStream();
                        loader.made.put(name, bytes);
                        return bytes;
                    }
                };
            }
        };
        if (!compiler.getTask(null, files, null, List.of("-proc:none"), null, List.of(new Source("G" + round, text.toString()))).call())
            throw new IllegalStateException();
        return (long) loader.loadClass("G" + round).getMethod("go").invoke(null);
    }

    static long objects(int n) {
        var counts = new TreeMap<String, Long>();
        long total = 0;
        for (int i = 0; i < n; i++) {
            Shape shape = i % 3 == 0 ? new Square(i % 50) : i % 3 == 1 ? new Strip(i % 70, 3) : new Point(i);
            total += shape.area();
            counts.merge("k" + total % 97, 1L, Long::sum);
        }
        return total + counts.values().stream().mapToLong(Long::longValue).map(v -> v * v).sum() % 1000003;
    }

    static long text(int n) {
        var pattern = Pattern.compile("(\\w+)\\s*=\\s*([0-9]+|\"[a-z]*\")");
        long hits = 0;
        for (int i = 0; i < n; i++) {
            var matcher = pattern.matcher("alpha=1; beta = " + i + " ;delta=\"five\"");
            while (matcher.find()) hits += matcher.group(1).length() + matcher.group(2).length();
        }
        return hits;
    }

    public static void main(String[] arguments) throws Exception {
        long sum = 0;
        for (int round = 0; round < 5; round++) sum = sum * 31 + generated(round);
        System.out.println("done " + ProcessHandle.current().pid() + " " + sum + "," + objects(1500000) + "," + text(200000));
        System.out.flush();
        System.in.read();
    }
}
