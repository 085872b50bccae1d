import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs the tests of one class and tells of each on stdout: a word (begun, passed, failed, ignored), the method and, of a
 * failure, the reason, with tabs between them. A method that was begun and has no end was still running when the process
 * was ended.
 */
public final class RunClass {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        JUnitCore core = new JUnitCore();
        core.addListener(new Teller());
        // What tests print themselves is no report.
        System.setOut(System.err);
        Result result = core.run(Class.forName(arguments[0]));
        say("end", String.valueOf(result.getRunTime()));
        Runtime.getRuntime().halt(0);
    }

    private static void say(String... fields) {
        for (int i = 0; i < fields.length; i++) {
            fields[i] = String.valueOf(fields[i]).replaceAll("\\s+", " ");
        }
        OUT.println(String.join("\t", fields));
    }

    private static String reasonOf(Throwable error) {
        String at = "";
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getClassName().startsWith("org.apache.rocketmq.test.") && at.isEmpty()) {
                at = " at " + frame.getFileName() + ":" + frame.getLineNumber();
            }
        }
        return error + at;
    }

    private static final class Teller extends RunListener {
        private boolean hasFailed;

        @Override
        public void testStarted(Description test) {
            hasFailed = false;
            say("begun", test.getMethodName());
        }

        @Override
        public void testFailure(Failure failure) {
            hasFailed = true;
            say("failed", failure.getDescription().getMethodName(), reasonOf(failure.getException()));
        }

        @Override
        public void testAssumptionFailure(Failure failure) {
            hasFailed = true;
            say("ignored", failure.getDescription().getMethodName());
        }

        @Override
        public void testIgnored(Description test) {
            say("ignored", test.getMethodName());
        }

        @Override
        public void testFinished(Description test) {
            if (!hasFailed) {
                say("passed", test.getMethodName());
            }
        }
    }
}
