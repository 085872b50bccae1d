import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.rocketmq.filter.SqlFilter;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;
import org.apache.rocketmq.filter.expression.MQFilterException;

/**
 * RocketMQ's SQL filters behind a pipe: a line per case on stdin, {"filter": ..., "properties": {...}}, and its
 * outcome as a line on stdout: true, false, unknown, fault or invalid.
 */
public final class Filters {
    private Filters() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        // What RocketMQ prints must not stand between our lines.
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject given = JSON.parseObject(line);
            out.println(outcome(given.getString("filter"), given.getJSONObject("properties")));
        }
        out.flush();
    }

    private static String outcome(String filter, Map<String, Object> properties) {
        Expression expression;
        try {
            expression = new SqlFilter().compile(filter);
        } catch (MQFilterException refused) {
            return "invalid";
        }
        try {
            Object value = expression.evaluate(new Properties(properties));
            return value == null ? "unknown" : value.toString();
        } catch (Throwable thrown) {
            return "fault";
        }
    }

    private static final class Properties implements EvaluationContext {
        private final Map<String, Object> properties;

        Properties(Map<String, Object> properties) {
            this.properties = properties;
        }

        @Override
        public Object get(String name) {
            return properties.get(name);
        }

        @Override
        public Map<String, Object> keyValues() {
            return properties;
        }
    }
}
