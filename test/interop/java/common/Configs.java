import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.lang.reflect.Field;
import java.util.Map;
import org.apache.rocketmq.common.ConfigManager;

/** The files below config/, written and read by RocketMQ's own classes. */
final class Configs {
    private static final String[] TABLES = {
        "dataVersion", "topicConfigTable", "offsetTable", "lmqOffsetTable", "subscriptionGroupTable", "forbiddenTable"
    };

    private Configs() {
    }

    /** Loads what there is, changes it, and writes every file. Answers with what is in memory then. */
    static JSONObject save(JSONObject command) throws Exception {
        Map<String, ConfigManager> files = GenerationConfigs.open(command);
        for (ConfigManager file : files.values()) {
            file.load();
        }
        GenerationConfigs.change(files, command);
        for (ConfigManager file : files.values()) {
            file.persist();
        }
        return tables(files);
    }

    /** Loads every file and answers with what is in memory then. */
    static JSONObject load(JSONObject command) throws Exception {
        Map<String, ConfigManager> files = GenerationConfigs.open(command);
        for (ConfigManager file : files.values()) {
            file.load();
        }
        return tables(files);
    }

    /** The tables of each file, as JSON that anybody can read. */
    private static JSONObject tables(Map<String, ConfigManager> files) throws Exception {
        JSONObject all = new JSONObject();
        for (Map.Entry<String, ConfigManager> file : files.entrySet()) {
            JSONObject tables = new JSONObject();
            for (String name : TABLES) {
                Object table = field(GenerationConfigs.contentOf(file.getValue()), name);
                if (table != null) {
                    String text = JSON.toJSONString(table, SerializerFeature.WriteNonStringKeyAsString,
                        // The other side reads numbers as doubles.
                        SerializerFeature.WriteNonStringValueAsString,
                        SerializerFeature.DisableCircularReferenceDetect);
                    tables.put(name, JSON.parse(text));
                }
            }
            all.put(file.getKey(), tables);
        }
        return all;
    }

    private static Object field(Object object, String name) throws IllegalAccessException {
        for (Class<?> type = object.getClass(); type != Object.class; type = type.getSuperclass()) {
            try {
                Field field = type.getDeclaredField(name);
                field.setAccessible(true);
                return field.get(object);
            } catch (NoSuchFieldException absent) {
                // It may be a field of the class above.
            }
        }
        return null;
    }
}
