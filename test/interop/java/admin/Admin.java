import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * RocketMQ's administration program, many commands in one process: each line is a command, its words parted by tabs.
 * What it prints goes out as it is, then a line <code>@@</code>.
 */
public final class Admin {
    public static void main(String[] none) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            MQAdminStartup.main(line.split("\t"));
            System.out.println();
            System.out.println("@@");
            System.out.flush();
        }
        System.exit(0);
    }

    private Admin() {}
}
